/**
 * Reads a regular expression: the part of JavaScript's (with the flag `u`) that needs no backtracking.
 * @module
 */

import { type Pattern, PatternSyntaxError, type Range, type Repeat } from "./pattern.ts";

interface Reader {
  readonly source: string;
  at: number;
  groupCount: number;
  depth: number;
}

const SUPPORTED =
  "supported are characters, ., [a-z], [^a-z], \\d \\w \\s \\D \\W \\S, ( ), (?: ), |, *, +, ?, {n,m}, ^ and $";
const DEPTH_MAX = 32;
const REPEAT_MAX = 1000;
const LAST = 0x10FFFF;
const DIGIT: readonly Range[] = [[0x30, 0x39]];
const WORD: readonly Range[] = [[0x30, 0x39], [0x41, 0x5A], [0x5F, 0x5F], [0x61, 0x7A]];
const SPACE: readonly Range[] = [
  [0x09, 0x0D],
  [0x20, 0x20],
  [0xA0, 0xA0],
  [0x1680, 0x1680],
  [0x2000, 0x200A],
  [0x2028, 0x2029],
  [0x202F, 0x202F],
  [0x205F, 0x205F],
  [0x3000, 0x3000],
  [0xFEFF, 0xFEFF],
];
const LINE_END: readonly Range[] = [[0x0A, 0x0A], [0x0D, 0x0D], [0x2028, 0x2029]];
/** @throws {PatternSyntaxError} when the text is not an expression, or uses more than we follow */
export function parsePattern(source: string): Pattern {
  const reader: Reader = { source, at: 0, groupCount: 1, depth: 0 };
  if (source === "") failAt(reader, 0, "there is nothing to look for");
  if (!source.isWellFormed()) failAt(reader, 0, "it holds half a character");
  const pattern = readChoice(reader);
  if (reader.at < source.length) failAt(reader, reader.at, 'a ")" closes no group');
  return pattern;
}

function readChoice(reader: Reader): Pattern {
  const options = [readSequence(reader)];
  while (take(reader, "|")) options.push(readSequence(reader));
  const [only] = options;
  return only !== undefined && options.length === 1 ? only : { kind: "choice", options };
}

function readSequence(reader: Reader): Pattern {
  const items: Pattern[] = [];
  while (reader.at < reader.source.length && !/[|)]/.test(reader.source.charAt(reader.at))) {
    const firstGroup = reader.groupCount;
    const start = reader.at;
    const body = readAtom(reader);
    items.push(readRepeat(reader, body, { start, groups: [firstGroup, reader.groupCount] }));
  }
  return { kind: "sequence", items };
}

function readAtom(reader: Reader): Pattern {
  const start = reader.at;
  const character = readCharacter(reader);
  switch (character) {
    case "^":
      return { kind: "start" };
    case "$":
      return { kind: "end" };
    case ".":
      return { kind: "class", ranges: LINE_END, negated: true };
    case "(":
      return readGroup(reader, start);
    case "[":
      return readClass(reader, start);
    case "\\": {
      const ranges = readEscape(reader, start);
      return { kind: "class", ranges, negated: false };
    }
    case "*":
    case "+":
    case "?":
    case "{":
      return failAt(reader, start, `"${character}" has nothing to repeat`);
    case "]":
    case "}":
      return failAt(reader, start, `"${character}" must be written "\\${character}"`);
    default:
      return { kind: "class", ranges: [single(character)], negated: false };
  }
}

function readGroup(reader: Reader, start: number): Pattern {
  reader.depth += 1;
  if (reader.depth > DEPTH_MAX) failAt(reader, start, `groups are nested deeper than ${DEPTH_MAX}`);
  let index: number | null = null;
  if (take(reader, "?")) {
    if (!take(reader, ":")) failAt(reader, start, "this kind of group is not supported");
  } else {
    index = reader.groupCount;
    reader.groupCount += 1;
  }
  const body = readChoice(reader);
  if (!take(reader, ")")) failAt(reader, start, "a group is not closed");
  reader.depth -= 1;
  return { kind: "group", index, body };
}

function readRepeat(
  reader: Reader,
  body: Pattern,
  { start, groups }: { readonly start: number; readonly groups: Repeat["groups"] },
): Pattern {
  const repeat = /[*+?]|\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}/y;
  repeat.lastIndex = reader.at;
  const match = repeat.exec(reader.source);
  if (match === null) return body;
  // Nobody needs it, and it is where JavaScript depends on going back.
  if (matchesNothing(body)) failAt(reader, start, "what can match nothing cannot be repeated");
  const { min, max } = bounds(match);
  if (max !== null && min > max) failAt(reader, reader.at, "the smaller number comes first");
  if (Math.max(min, max ?? 0) > REPEAT_MAX) failAt(reader, reader.at, `at most ${REPEAT_MAX} times can be asked for`);
  reader.at = repeat.lastIndex;
  const lazy = take(reader, "?");
  return { kind: "repeat", body, min, max, lazy, groups };
}

function matchesNothing(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case "class":
      return false;
    case "start":
    case "end":
      return true;
    case "group":
      return matchesNothing(pattern.body);
    case "sequence":
      return pattern.items.every(matchesNothing);
    case "choice":
      return pattern.options.some(matchesNothing);
    case "repeat":
      return pattern.min === 0 || matchesNothing(pattern.body);
  }
}

function bounds(match: RegExpExecArray): { readonly min: number; readonly max: number | null } {
  switch (match[0]) {
    case "*":
      return { min: 0, max: null };
    case "+":
      return { min: 1, max: null };
    case "?":
      return { min: 0, max: 1 };
  }
  const min = Number(match[1]);
  if (match[2] === undefined) return { min, max: min };
  return { min, max: match[3] === undefined ? null : Number(match[3]) };
}

function readClass(reader: Reader, start: number): Pattern {
  const negated = take(reader, "^");
  const ranges: Range[] = [];
  while (!take(reader, "]")) {
    if (reader.at >= reader.source.length) failAt(reader, start, 'a "[" is not closed');
    const at = reader.at;
    const from = readClassPart(reader);
    const isRange = reader.source.charAt(reader.at) === "-" && !/^-(?:\]|$)/.test(reader.source.slice(reader.at));
    if (!isRange) {
      ranges.push(...from);
      continue;
    }
    reader.at += 1;
    const to = readClassPart(reader);
    const [[low, lowEnd] = [1, 0], [high, highEnd] = [1, 0]] = [from[0], to[0]];
    if (from.length !== 1 || to.length !== 1 || low !== lowEnd || high !== highEnd || low > high) {
      failAt(reader, at, `"${reader.source.slice(at, reader.at)}" is no range`);
    }
    ranges.push([low, high]);
  }
  return { kind: "class", ranges, negated };
}

function readClassPart(reader: Reader): readonly Range[] {
  const start = reader.at;
  const character = readCharacter(reader);
  if (character !== "\\") return [single(character)];
  // Only here a "-" means something, and can be told not to.
  return take(reader, "-") ? [single("-")] : readEscape(reader, start);
}

function readEscape(reader: Reader, start: number): readonly Range[] {
  const character = readCharacter(reader);
  const ranges = namedClass(character);
  if (ranges !== null) return ranges;
  if (/^[\^$\\.*+?()[\]{}|/]$/.test(character)) return [single(character)];
  return failAt(reader, start, `"\\${character}" is not supported`);
}

function namedClass(letter: string): readonly Range[] | null {
  switch (letter) {
    case "d":
      return DIGIT;
    case "D":
      return complement(DIGIT);
    case "w":
      return WORD;
    case "W":
      return complement(WORD);
    case "s":
      return SPACE;
    case "S":
      return complement(SPACE);
    case "t":
      return [single("\t")];
    case "n":
      return [single("\n")];
    case "r":
      return [single("\r")];
    default:
      return null;
  }
}

function readCharacter(reader: Reader): string {
  const code = reader.source.codePointAt(reader.at);
  if (code === undefined) failAt(reader, reader.at, "it ends too early");
  const character = String.fromCodePoint(code);
  reader.at += character.length;
  return character;
}

function take(reader: Reader, character: string): boolean {
  if (reader.source.charAt(reader.at) !== character) return false;
  reader.at += 1;
  return true;
}

function single(character: string): Range {
  const code = character.codePointAt(0) ?? 0;
  return [code, code];
}

function complement(ranges: readonly Range[]): readonly Range[] {
  const starts = [0, ...ranges.map(([, end]) => end + 1)];
  const ends = [...ranges.map(([start]) => start - 1), LAST];
  return starts.flatMap((start, index): Range[] => {
    const end = ends[index] ?? LAST;
    return start <= end ? [[start, end]] : [];
  });
}

function failAt(reader: Reader, offset: number, problem: string): never {
  throw new PatternSyntaxError(reader.source, offset + 1, `${problem}; ${SUPPORTED}`);
}
