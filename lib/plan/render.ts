/**
 * A plan as text, for people.
 * @module
 */
import type { Lifetime } from "./demand.ts";
import type { Intent, OnError } from "./intent.ts";
import type { Plan } from "./plan.ts";

/** One line an intent; an empty plan says so. */
export function renderPlan(plan: Plan): readonly string[] {
  return plan.length === 0 ? ["nothing to do"] : plan.map(renderIntent);
}

/** What an intent does, without its rule's name. */
export function renderIntent(intent: Intent): string {
  switch (intent.kind) {
    case "deny":
      return `deny  ${quote(intent.message)}`;
    case "edit":
      return `edit  ${visible(intent.step.text)}${onErrorNote(intent.onError)}`;
    case "fault":
      return `FAIL  ${intent.action}: ${visible(intent.message)}${onErrorNote(intent.onError)}`;
    case "run": {
      const limit = intent.timeoutMs === undefined ? "" : `, for ${intent.timeoutMs / 1000} s at most`;
      const input = intent.input === "document" ? ", the document on its stdin" : "";
      const output = intent.output === "document" ? ", the new document from its stdout" : "";
      return `run   ${intent.argv.map(quote).join(" ")}${input}${output}${limit}${onErrorNote(intent.onError)}`;
    }
    case "hold":
      return `hold  ${visible(intent.text)}${LASTING[intent.lifetime]}${onErrorNote(intent.onError)}`;
    default:
      return intent satisfies never;
  }
}

const LASTING = {
  domain: ", until the guest is gone",
  running: ", while the guest runs",
  network: ", while the network is active",
  port: ", while the interface is on the network",
} as const satisfies Record<Lifetime, string>;

function onErrorNote(onError: OnError): string {
  return onError === "fail" ? "; a failure fails the call" : "; a failure is noted";
}

/** Text in quotes where a reader could mistake it, control characters made visible. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${visible(text).replaceAll('"', '\\"')}"`;
}

/**
 * Controls (C0, DEL, C1), line and paragraph separators, halves of surrogate pairs, and what shows nothing or turns the
 * direction of text: soft hyphen, zero-width characters, bidirectional controls, tags.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u3164\uffa0]/gu;

/** Text on one line of a terminal or a log: what is not seen is written as `\xNN`, `\uNNNN` or `\u{N…}`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? unicodeEscape(code) : `\\u{${code.toString(16)}}`;
  });
}

/** JSON text that says the same with every such character as `\uNNNN`. */
export function visibleJson(json: string): string {
  return json.replace(
    UNSEEN,
    (character) =>
      Array.from({ length: character.length }, (_, at) => unicodeEscape(character.charCodeAt(at))).join(""),
  );
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
