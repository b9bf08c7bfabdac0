/**
 * Splices: stretches of the original text and their replacements. All other bytes stay.
 * @module
 */

import { positionAt } from "./syntax_error.ts";
import type { Span, XmlDocument } from "./tree.ts";

/** A stretch of the original text and its replacement; an empty stretch is a place to insert at. */
export interface Splice {
  readonly span: Span;
  readonly text: string;
}

/** A splice before all of them are known. */
export interface Draft extends Splice {
  /** Which of the splices at one place comes first. */
  readonly rank: keyof typeof RANK;
  /** The name of an element of one tag, whose `/>` this splice replaces: it needs an end tag now. */
  readonly opens?: string;
}

/** A draft and the number of its edit. */
export interface EditDraft extends Draft {
  readonly edit: number;
}

const RANK = { first: 0, after: 1, value: 2, before: 3, last: 4 } as const;

/** Thrown when an edit cannot be done, or not together with another. */
export class XmlEditError extends Error {
  /** Which edit of the list, from 0. */
  readonly edit: number;

  constructor(problem: string, edit: number, place: { readonly document: XmlDocument; readonly offset: number }) {
    const { line, column } = positionAt(place.document.text, place.offset);
    super(`Cannot edit the XML: ${problem} at line ${line}, column ${column}`);
    this.name = "XmlEditError";
    this.edit = edit;
  }
}

/**
 * Puts splices in order and those that fill one empty element together.
 *
 * @throws {XmlEditError} when two of them touch the same text
 */
export function orderSplices(document: XmlDocument, drafts: readonly EditDraft[]): readonly Splice[] {
  const ordered = drafts.toSorted((a, b) =>
    a.span.start - b.span.start || a.span.end - b.span.end || RANK[a.rank] - RANK[b.rank] || a.edit - b.edit
  );
  const splices: Splice[] = [];
  for (const [index, draft] of ordered.entries()) {
    const previous = ordered[index - 1];
    if (previous !== undefined && isConflict(previous, draft)) {
      const [one, other] = [previous.edit, draft.edit].sort((a, b) => a - b);
      const problem = `edit ${(one ?? 0) + 1} and edit ${(other ?? 0) + 1} change the same text`;
      throw new XmlEditError(problem, draft.edit, { document, offset: draft.span.start });
    }
    const opened = previous?.opens !== undefined && previous.span.start === draft.span.start;
    const following = ordered[index + 1];
    const closes = draft.opens !== undefined && following?.span.start !== draft.span.start;
    const text = `${draft.opens !== undefined && !opened ? ">" : ""}${draft.text}${closes ? `</${draft.opens}>` : ""}`;
    // The first of them takes the place of "/>", the others stand behind it.
    splices.push({ span: opened ? { start: draft.span.end, end: draft.span.end } : draft.span, text });
  }
  return splices.length === 0 ? splices : keepApart(document.text, splices);
}

/**
 * Where what stood between two texts goes or changes, the texts must not make "]]>" together, which XML does not allow,
 * nor CR and LF become one line end: the character that would is escaped then.
 */
function keepApart(original: string, splices: readonly Splice[]): readonly Splice[] {
  let tail = "";
  let at = 0;
  return splices.map((splice, index) => {
    tail = (tail + original.slice(Math.max(at, splice.span.start - 2), splice.span.start)).slice(-2);
    const stray = strayLength(tail, splice.text);
    const text = escapeStray(splice.text.slice(0, stray)) + splice.text.slice(stray);
    tail = (tail + text).slice(-2);
    const following = original.slice(splice.span.end, splices[index + 1]?.span.start);
    const strayAfter = strayLength(tail, following);
    at = splice.span.end + strayAfter;
    const added = escapeStray(following.slice(0, strayAfter));
    tail = (tail + added).slice(-2);
    return { span: { start: splice.span.start, end: at }, text: text + added };
  });
}

/** How many characters at the beginning of a text mean something else behind the text before. */
function strayLength(before: string, text: string): number {
  if ((before.endsWith("]]") && text.startsWith(">")) || (before.endsWith("\r") && text.startsWith("\n"))) return 1;
  return before.endsWith("]") && text.startsWith("]>") ? 2 : 0;
}

function escapeStray(text: string): string {
  return text.replace(">", "&gt;").replace("\n", "&#10;");
}

/** The text with all splices done; they must be in order. */
export function applySplices(text: string, splices: readonly Splice[]): string {
  let result = "";
  let at = 0;
  for (const splice of splices) {
    result += text.slice(at, splice.span.start) + splice.text;
    at = splice.span.end;
  }
  return result + text.slice(at);
}

function isConflict(a: EditDraft, b: EditDraft): boolean {
  if (b.span.start === a.span.start && b.span.end === a.span.end) {
    const bothInsert = a.opens !== undefined || a.span.start === a.span.end;
    return !bothInsert || (a.rank === "value" && b.rank === "value");
  }
  return b.span.start < a.span.end;
}
