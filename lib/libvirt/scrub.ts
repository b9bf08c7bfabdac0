/**
 * Takes known secrets out of any text: what a program printed, an error message.
 * @module
 */

import { mergeStretches, replaceStretches, type Stretch } from "./stretches.ts";

/** The replacement of a secret. */
export const REDACTED = "***";
/** Of more secrets than this no text is searched: it is withheld. No real guest has so many. */
export const SECRETS_MAX = 2000;

/** Shorter secrets stand in many innocent words: they are taken out only where they are a word of their own. */
const ANYWHERE_LENGTH_MIN = 4;
const IN_WORD = /[\p{L}\p{N}_]/u;

/**
 * A text with `***` in the place of each secret. Scrub before a text is cut: half a secret is not found.
 *
 * @param secrets as `secretValues()` gives them
 */
export function scrub(text: string, secrets: readonly string[]): string {
  if (secrets.length > SECRETS_MAX && text !== "") return REDACTED;
  return replaceStretches(text, mergeStretches(secrets.flatMap((secret) => occurrences(text, secret))), REDACTED);
}

/** Where a secret that is long enough to be told from other text occurs in one. */
export function longOccurrences(text: string, secret: string): readonly Stretch[] {
  return secret.length < ANYWHERE_LENGTH_MIN ? [] : occurrences(text, secret);
}

function occurrences(text: string, secret: string): readonly Stretch[] {
  const found: Stretch[] = [];
  if (secret === "") return found;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length)) {
    const stretch = { start: at, end: at + secret.length };
    if (secret.length >= ANYWHERE_LENGTH_MIN || isWord(text, stretch)) found.push(stretch);
  }
  return found;
}

function isWord(text: string, { start, end }: Stretch): boolean {
  return !IN_WORD.test(text.slice(Math.max(0, start - 1), start)) && !IN_WORD.test(text.slice(end, end + 1));
}
