/**
 * Setting a value, and replacing text in one.
 * @module
 */

import { indexOfForbiddenCharacter } from "./names.ts";
import type { FindMatches } from "./replacement.ts";
import type { SelectedNode } from "./select.ts";
import type { Draft } from "./splice.ts";
import type { Span, XmlCData, XmlDocument, XmlElement, XmlText } from "./tree.ts";
import { decodeValue, encodeAttribute, encodeCData, encodeText, type Place, rawPieces } from "./value.ts";

/** A stretch of text that holds a value or a part of one. */
interface TextRun {
  readonly place: Place;
  readonly value: string;
  readonly span: Span;
  /** What goes when the run goes: of a CDATA section its marks too. */
  readonly outer: Span;
}

/** A change in the value of one run. */
interface Change extends Span {
  readonly text: string;
}

/** Splices that give a node a value. Text beside comments goes to where the first text is. */
export function setValue(
  document: XmlDocument,
  node: SelectedNode,
  { value, fail }: { readonly value: string; readonly fail: (problem: string) => never },
): readonly Draft[] {
  checkCharacters(value, fail);
  const runs = runsOf(node, fail);
  if (joinValues(runs) === value) return [];
  const [first, ...others] = runs;
  if (first === undefined) return node.type === "element" ? fillElement(node, value) : [];
  const removed: Draft[] = others.map(({ outer }) => ({ span: outer, text: "", rank: "value" }));
  return [{ span: first.span, text: encode(document, first, value), rank: "value" }, ...removed];
}

/** Splices that replace text in the value of a node, and leave the rest of it as it is written. */
export function replaceInValue(
  document: XmlDocument,
  node: SelectedNode,
  { find, fail }: { readonly find: FindMatches; readonly fail: (problem: string) => never },
): readonly Draft[] {
  const runs = runsOf(node, fail);
  const value = joinValues(runs);
  const matches = find(value).filter((found) => value.slice(found.start, found.end) !== found.text);
  for (const { text } of matches) checkCharacters(text, fail);
  const drafts: Draft[] = [];
  let runStart = 0;
  let next = 0;
  for (const [index, run] of runs.entries()) {
    const isLast = index === runs.length - 1;
    const runEnd = runStart + run.value.length;
    const changes: Change[] = [];
    for (let at = next; (matches[at]?.start ?? Infinity) <= runEnd; at += 1) {
      const match = matches[at];
      if (match === undefined) break;
      const change = changeInRun(match, runStart, run.value.length, isLast);
      if (change !== null) changes.push(change);
      // No later run has anything of it.
      if (match.end < runEnd) next = at + 1;
    }
    if (changes.length > 0) drafts.push(...changeRun(document, run, changes));
    runStart = runEnd;
  }
  return drafts;
}

function checkCharacters(value: string, fail: (problem: string) => never): void {
  if (indexOfForbiddenCharacter(value) !== -1) fail("the new value holds a character XML does not allow");
}

function runsOf(node: SelectedNode, fail: (problem: string) => never): readonly TextRun[] {
  switch (node.type) {
    case "attribute":
      return [{ place: "attribute", value: node.value, span: node.valueSpan, outer: node.valueSpan }];
    case "text":
    case "cdata":
      return [textRun(node)];
    case "element":
      if (node.children.some(({ type }) => type === "element")) {
        fail(`"${node.name.raw}" holds elements, so it has no value (its texts have, by text())`);
      }
      return node.children.filter((child) => child.type === "text" || child.type === "cdata").map(textRun);
  }
}

function textRun(node: XmlText | XmlCData): TextRun {
  const { type: place, text: value, span: outer } = node;
  const span = place === "text" ? outer : { start: outer.start + 9, end: outer.end - 3 };
  return { place, value, span, outer };
}

function joinValues(runs: readonly TextRun[]): string {
  return runs.map(({ value }) => value).join("");
}

function fillElement(element: XmlElement, value: string): readonly Draft[] {
  const { startTag, endTag, name } = element;
  const text = encodeText(value);
  if (endTag !== null) return [{ span: { start: startTag.end, end: startTag.end }, text, rank: "value" }];
  return [{ span: { start: startTag.end - 2, end: startTag.end }, text, rank: "value", opens: name.raw }];
}

/** The part of a match that lies in a run. The replacement is put where the match begins. */
function changeInRun(match: Change, runStart: number, length: number, isLast: boolean): Change | null {
  const start = Math.max(match.start - runStart, 0);
  const end = Math.min(match.end - runStart, length);
  const begins = match.start >= runStart && (match.start < runStart + length || (isLast && start === length));
  if (begins) return { start, end, text: match.text };
  return start < end ? { start, end, text: "" } : null;
}

function changeRun(document: XmlDocument, run: TextRun, changes: readonly Change[]): readonly Draft[] {
  const raw = document.text.slice(run.span.start, run.span.end);
  const rawChanges = toRawChanges(raw, run.place, changes).map((change) => {
    return { ...change, text: encode(document, run, change.text) };
  });
  // Two halves that are harmless by themselves can end the section together; then its whole value is written anew.
  if (run.place === "cdata") {
    const newValue = applyChanges(run.value, changes);
    if (!isInside(applyChanges(raw, rawChanges), newValue)) {
      return [{ span: run.span, text: encode(document, run, newValue), rank: "value" }];
    }
  }
  return rawChanges.map(({ start, end, text }) => {
    return { span: { start: run.span.start + start, end: run.span.start + end }, text, rank: "value" };
  });
}

/** Whether a raw text stays within its CDATA section, or within sections that touch, and means a value. */
function isInside(raw: string, value: string): boolean {
  if (/\]\]>(?!<!\[CDATA\[)/.test(raw)) return false;
  return decodeValue(raw, "cdata", neverFail) === value;
}

/** Nothing in a CDATA section is a reference. */
function neverFail(message: string): never {
  throw new Error(message);
}

function applyChanges(text: string, changes: readonly Change[]): string {
  let result = "";
  let at = 0;
  for (const change of changes) {
    result += text.slice(at, change.start) + change.text;
    at = change.end;
  }
  return result + text.slice(at);
}

/** The same changes, with places in the raw value instead of the decoded one. Both are in order, so one walk does. */
function toRawChanges(raw: string, place: Place, changes: readonly Change[]): readonly Change[] {
  const offsets = changes.flatMap(({ start, end }) => [start, end]);
  const rawOffsets: number[] = [];
  let valueStart = 0;
  for (const piece of rawPieces(raw, place)) {
    const valueEnd = valueStart + piece.value.length;
    const isLiteral = piece.value.length === piece.end - piece.start;
    for (let offset = offsets[rawOffsets.length]; offset !== undefined && offset < valueEnd;) {
      rawOffsets.push(isLiteral ? piece.start + offset - valueStart : piece.start);
      offset = offsets[rawOffsets.length];
    }
    valueStart = valueEnd;
  }
  return changes.map(({ text }, index) => {
    return { start: rawOffsets[index * 2] ?? raw.length, end: rawOffsets[index * 2 + 1] ?? raw.length, text };
  });
}

function encode(document: XmlDocument, run: TextRun, value: string): string {
  switch (run.place) {
    case "attribute":
      return encodeAttribute(value, document.text.charAt(run.span.end));
    case "text":
      return encodeText(value);
    case "cdata":
      return encodeCData(value);
  }
}
