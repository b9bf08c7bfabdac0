/**
 * Passwords that documents carry at `migrate` and `restore` stay out of everything that is written down.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import { secretValues } from "../libvirt/redact.ts";
import { REDACTED, scrub } from "../libvirt/scrub.ts";
import { isDocumentError } from "../xml/limit_error.ts";
import type { XmlDocument } from "../xml/tree.ts";

/** Takes the secrets of documents out of a text. */
export interface Scrubber {
  scrub(text: string): string;
  /** The same for words of ours, into which nothing can have come from a document that cannot be read. */
  scrubOwn(text: string): string;
  /** The same for a text that may be a part of a secret. */
  scrubPart(text: string): string;
  /** Makes the secrets of one more document known. */
  learn(document: XmlDocument): void;
}

/** A scrubber for a call. The document is looked at when there is something to scrub. */
export function makeScrubber(call: HookCall): Scrubber {
  const learned: string[] = [];
  let sent: readonly string[] | "unknown" | undefined;
  function secrets(): readonly string[] | "unknown" {
    sent ??= call.document.length === 0 ? [] : secretsOf(() => call.xml());
    return sent === "unknown" ? sent : [...sent, ...learned];
  }
  function learn(document: XmlDocument): void {
    const more = secretsOf(() => document);
    if (more === "unknown") sent = more;
    else learned.push(...more);
  }
  function scrubWhole(text: string): string {
    if (text === "") return text;
    const known = secrets();
    // If the document cannot be read, it is unknown what in a program's output is a secret.
    return known === "unknown" ? REDACTED : scrub(text, known);
  }
  return {
    learn,
    scrub: scrubWhole,
    scrubOwn: (text) => secrets() === "unknown" ? text : scrubWhole(text),
    scrubPart: (text) => {
      const known = secrets();
      const isPart = text !== "" && known !== "unknown" && known.some((secret) => secret.includes(text));
      return isPart ? REDACTED : scrubWhole(text);
    },
  };
}

function secretsOf(read: () => XmlDocument): readonly string[] | "unknown" {
  try {
    return secretValues(read());
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    return "unknown";
  }
}
