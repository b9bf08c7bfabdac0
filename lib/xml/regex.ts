/**
 * Regular expressions, as RE2 reads and runs them.
 *
 * The values they meet are written by anyone who may write a document, and an engine that goes back and tries again can be
 * made to run for years by a well-chosen value. This one's time grows with the length of value times expression.
 *
 * No other file knows the engine. It is large, so this one is loaded by `import()`, for edits that have an expression.
 * @module
 */

import { XmlLimitError } from "./limit_error.ts";
import { RE2JS, RE2JSSyntaxException } from "re2js";
import { indexOfForbiddenCharacter } from "./names.ts";
import { editCounter, type FindMatches, type Match } from "./replacement.ts";

/** What to look for, and what to write instead. */
export interface Regex {
  readonly expression: string;
  /** `$1` to `$9` stand for what the groups matched, `$&` for all that was matched, `$$` for a dollar sign. */
  readonly with: string;
}

/** Thrown when a part of a {@linkcode Regex} cannot be used. */
export class RegexSyntaxError extends SyntaxError {
  readonly part: keyof Regex;

  constructor(message: string, part: keyof Regex) {
    super(message);
    this.name = "RegexSyntaxError";
    this.part = part;
  }
}

/** A text, or the number of a group; group 0 is all that was matched. */
type Part = string | number;

/** How many steps of the expression one search through a value may come to: a few seconds, as a hook's code is interpreted. */
const STEPS_MAX = 10_000_000;
const SHOWN_LENGTH_MAX = 60;

/**
 * Makes what finds the matches of an expression. It asks `isLate` before each search and gives up when told so: after
 * each of many matches, an expression can look through all the rest of the value.
 *
 * @throws {RegexSyntaxError} when the expression is none, or `$` names a group it does not have
 */
export function compileRegex(regex: Regex, isLate: () => boolean): FindMatches {
  const engine = compile(regex.expression);
  const parts = parseParts(regex.with, engine.groupCount());
  return (value) => {
    if (value.length * engine.programSize() > STEPS_MAX) giveUp("is too long for it");
    if (isLate()) giveUp("takes it too long");
    const matches: Match[] = [];
    const count = editCounter();
    for (const found of engine.matchAll(value)) {
      const { index: start = 0, 0: whole } = found;
      const texts = parts.map((part) => typeof part === "string" ? part : found[part] ?? "");
      // Before they are put together: a group can have matched most of a document, and be written many times.
      count(texts.reduce((length, part) => length + part.length, 0));
      const text = texts.join("");
      matches.push({ start, end: start + whole.length, text });
      if (isLate()) giveUp("takes it too long");
    }
    return matches;
  };
}

function giveUp(reason: string): never {
  throw new XmlLimitError(`Cannot run the expression: the value ${reason}`);
}

function compile(expression: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const culprit = error.getPattern();
    const where = culprit === null || culprit === expression ? "" : `: ${shown(culprit)}`;
    throw new RegexSyntaxError(
      `Cannot parse the expression ${shown(expression)}: ${error.getDescription()}${where}; ` +
        "the syntax is that of RE2, without back-references and look-around",
      "expression",
    );
  }
}

function parseParts(text: string, groupCount: number): readonly Part[] {
  const fail = (offset: number, problem: string): never => {
    throw new RegexSyntaxError(`Cannot write ${shown(text)} instead: ${problem} at column ${offset + 1}`, "with");
  };
  const forbidden = indexOfForbiddenCharacter(text);
  if (forbidden !== -1) fail(forbidden, "XML does not allow the character");
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: dollar, 1: sign = "", index } of text.matchAll(/\$(.?)/gsu)) {
    parts.push(text.slice(at, index));
    at = index + dollar.length;
    if (sign === "$") parts.push("$");
    else if (sign === "&") parts.push(0);
    else if (/^[1-9]$/.test(sign) && Number(sign) <= groupCount) parts.push(Number(sign));
    else fail(index, `the expression has no group for ${shown(dollar)}`);
  }
  return [...parts, text.slice(at)];
}

function shown(text: string): string {
  return `"${text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text}"`;
}
