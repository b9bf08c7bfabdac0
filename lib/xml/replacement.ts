/**
 * What to look for in a value, and what to write instead: a plain text, or a regular expression.
 * @module
 */

import { indexOfForbiddenCharacter } from "./names.ts";
import { PatternSyntaxError } from "./pattern.ts";
import { parsePattern } from "./pattern_parser.ts";
import { compilePattern, type Program } from "./pattern_program.ts";
import { runPattern } from "./pattern_run.ts";

/** A replacement, ready to be used: made by {@linkcode plainReplacement} or {@linkcode regexReplacement}. */
export type Replacement =
  | { readonly kind: "plain"; readonly search: string; readonly with: string }
  /** A part is a text, or the number of a group; group 0 is all that was found. */
  | { readonly kind: "regex"; readonly program: Program; readonly parts: readonly (string | number)[] };

/** A place in a value and what is to stand there. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** How many steps an expression may take over one value: well under a second. */
const STEPS_MAX = 4_000_000;

/**
 * A replacement of each occurrence of a text.
 *
 * @throws {PatternSyntaxError} when the text is empty, or one of the two cannot stand in XML
 */
export function plainReplacement(search: string, replaceWith: string): Replacement {
  if (search === "") throw new PatternSyntaxError(search, 1, "there is nothing to look for");
  checkCharacters(search);
  checkCharacters(replaceWith);
  return { kind: "plain", search, with: replaceWith };
}

/**
 * A replacement of each match of a regular expression. In what is written instead, `$1` to `$9` stand for what the
 * groups matched, `$&` for all that was matched, and `$$` for a dollar sign.
 *
 * @throws {PatternSyntaxError} when the expression is not one we follow, or `$` stands for a group it does not have
 */
export function regexReplacement(expression: string, replaceWith: string): Replacement {
  checkCharacters(replaceWith);
  const program = compilePattern(parsePattern(expression), expression);
  const parts: (string | number)[] = [];
  let at = 0;
  for (const dollar of replaceWith.matchAll(/\$(.?)/gsu)) {
    const sign = dollar[1] ?? "";
    if (dollar.index > at) parts.push(replaceWith.slice(at, dollar.index));
    at = dollar.index + dollar[0].length;
    if (sign === "$") parts.push("$");
    else if (sign === "&") parts.push(0);
    else if (/^[1-9]$/.test(sign) && Number(sign) < program.groupCount) parts.push(Number(sign));
    else throw new PatternSyntaxError(replaceWith, dollar.index + 1, `"${dollar[0]}" stands for no group`);
  }
  if (at < replaceWith.length) parts.push(replaceWith.slice(at));
  return { kind: "regex", program, parts };
}

/**
 * All places in a value where the replacement finds something, in order, none overlapping another.
 *
 * @throws {RangeError} when an expression takes too many steps over the value
 */
export function findMatches(replacement: Replacement, value: string): readonly Match[] {
  return replacement.kind === "plain" ? findPlain(replacement, value) : findRegex(replacement, value);
}

function findPlain(replacement: Replacement & { kind: "plain" }, value: string): readonly Match[] {
  const { search, with: text } = replacement;
  const matches: Match[] = [];
  for (let start = value.indexOf(search); start !== -1; start = value.indexOf(search, start + search.length)) {
    matches.push({ start, end: start + search.length, text });
  }
  return matches;
}

function findRegex({ program, parts }: Replacement & { kind: "regex" }, value: string): readonly Match[] {
  const matches: Match[] = [];
  const budget = { steps: STEPS_MAX };
  let from = 0;
  while (from <= value.length) {
    const groups = runPattern(program, value, { from, budget });
    if (groups === null) break;
    const text = parts.map((part) => {
      return typeof part === "string" ? part : value.slice(groups[part * 2] ?? 0, groups[part * 2 + 1] ?? 0);
    }).join("");
    const [start = 0, end = 0] = groups;
    matches.push({ start, end, text });
    // After an empty match the next character is passed over, whole.
    from = end > start ? end : end + ((value.codePointAt(end) ?? 0) > 0xFFFF ? 2 : 1);
  }
  return matches;
}

function checkCharacters(text: string): void {
  const forbidden = indexOfForbiddenCharacter(text);
  if (forbidden !== -1) {
    throw new PatternSyntaxError(text, forbidden + 1, "it holds a character that XML does not allow");
  }
}
