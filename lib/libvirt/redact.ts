/**
 * Takes secrets out of documents, before one is kept or shown.
 * @module
 */

import { XmlLimitError } from "../xml/limit_error.ts";
import type { XmlDocument } from "../xml/tree.ts";
import { encodeAttribute, encodeText } from "../xml/value.ts";
import { type DocumentValue, documentValues, stretchesInDocument } from "./document_values.ts";
import { longOccurrences, REDACTED } from "./scrub.ts";
import { mayHoldSecrets } from "./secret_places.ts";
import { mergeStretches, replaceStretches, type Stretch } from "./stretches.ts";

/** With more secrets than this in it every value of a document is hidden. No real guest has so many. */
export const DOCUMENT_SECRETS_MAX = 256;

/**
 * The text of a document with `***` in the place of each secret, and wherever else in its values one of four characters
 * or more occurs again. Every other byte stays; the text is as well-formed as the document.
 */
export function redactSecrets(document: XmlDocument): string {
  if (!mayHoldSecrets(document.text)) return document.text;
  const values = documentValues(document);
  const secrets = secretsOf(values);
  if (secrets.size === 0) return document.text;
  const stretches = values.flatMap((value) => stretchesInDocument(value, hiddenIn(value, secrets)));
  return replaceStretches(document.text, mergeStretches(stretches), REDACTED);
}

/** Secrets of more characters than this in one document are not looked for in other text. No real guest has so many. */
const SECRET_CHARACTERS_MAX = 1024 * 1024;

/**
 * The secrets of a document as they are, as XML and JSON write them, and as QEMU and JSON read them: for `scrub()`.
 * @throws {XmlLimitError} when they are too long to look for
 */
export function secretValues(document: XmlDocument): readonly string[] {
  if (!mayHoldSecrets(document.text)) return [];
  const values = documentValues(document);
  const secrets = [...secretsOf(values)];
  if (secrets.reduce((length, secret) => length + secret.length, 0) > SECRET_CHARACTERS_MAX) {
    throw new XmlLimitError(`Cannot look for secrets of more than ${SECRET_CHARACTERS_MAX} characters`);
  }
  const written = values.filter(({ secrets, parts }) => secrets.length > 0 && parts.length === 1).flatMap((value) =>
    stretchesInDocument(value, mergeStretches(value.secrets)).map(({ start, end }) => document.text.slice(start, end))
  );
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeAll(secret),
    encodeText(secret),
    encodeAttribute(secret, "'"),
    encodeAttribute(secret, '"'),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll(",,", ","),
    secret.replace(/\\(.)/gs, "$1"),
  ]);
  return [...new Set([...written, ...forms])];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** As libvirt writes values: it escapes all five wherever they stand (`virBufferEscapeString`). */
function encodeAll(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function secretsOf(values: readonly DocumentValue[]): ReadonlySet<string> {
  return new Set(values.flatMap(({ text, secrets }) => secrets.map(({ start, end }) => text.slice(start, end))));
}

function hiddenIn(value: DocumentValue, secrets: ReadonlySet<string>): readonly Stretch[] {
  if (secrets.size > DOCUMENT_SECRETS_MAX) return [{ start: 0, end: value.text.length }];
  const again = [...secrets].flatMap((secret) => longOccurrences(value.text, secret));
  return mergeStretches([...value.secrets, ...again]);
}
