/**
 * Reads tags and what is between them: the one loop over a document or a fragment.
 * @module
 */

import { isName } from "./names.ts";
import { compact, countNode, type ElementDraft, fail, type Scan, undeclareNamespaces } from "./scan.ts";
import { isSelfClosing, scanStartTag } from "./scan_tag.ts";
import type { XmlNode, XmlProcessingInstruction } from "./tree.ts";
import { decodeValue, normaliseLineEnds } from "./value.ts";

/** What is outside all elements: one element and no text in a document, anything in a fragment. */
export interface Top {
  readonly kind: "document" | "fragment";
  readonly nodes: XmlNode[];
  readonly processingInstructions: XmlProcessingInstruction[];
}

const TAG_CLOSE = /[ \t\r\n]*>/y;
const INSTRUCTION = /<\?([^ \t\r\n?<>]+)(?:[ \t\r\n]+|(?=\?>))/y;

/** Reads from `scan.at` to the end of the text. */
export function scanNodes(scan: Scan, top: Top): void {
  const { text } = scan;
  while (scan.at < text.length) {
    const markup = text.indexOf("<", scan.at);
    const textEnd = markup === -1 ? text.length : markup;
    if (textEnd > scan.at) scanText(scan, top, textEnd);
    if (markup === -1) break;
    switch (text.charAt(markup + 1)) {
      case "/":
        scanEndTag(scan);
        break;
      case "!":
        scanMarked(scan, top);
        break;
      case "?":
        scanInstruction(scan, top);
        break;
      default:
        scanElement(scan, top);
    }
  }
  const open = scan.open.at(-1);
  if (open !== undefined) fail(scan, `the element "${open.name.raw}" is not closed`, open.span.start);
}

function scanElement(scan: Scan, top: Top): void {
  if (scan.open.length === 0 && top.kind === "document" && top.nodes.some(({ type }) => type === "element")) {
    fail(scan, "there is a second root element", scan.at);
  }
  if (scan.open.length >= scan.limits.depth) {
    fail(scan, `it is nested deeper than ${scan.limits.depth} elements`, scan.at);
  }
  const element = scanStartTag(scan);
  append(scan, top, element);
  if (isSelfClosing(scan, element)) closeElement(scan, element);
  else scan.open.push(element);
}

function scanEndTag(scan: Scan): void {
  const { text, at: start } = scan;
  const element = scan.open.pop();
  if (element === undefined) fail(scan, "an end tag closes no element", start);
  const { raw } = element.name;
  TAG_CLOSE.lastIndex = start + 2 + raw.length;
  if (!text.startsWith(raw, start + 2) || !TAG_CLOSE.test(text)) {
    const found = text.slice(start, start + 60).split(/[ \t\r\n>]/, 1)[0] ?? "";
    fail(scan, `the element "${raw}" is closed by "${found}"`, start);
  }
  scan.at = TAG_CLOSE.lastIndex;
  element.endTag = { start, end: scan.at };
  element.span = { start: element.startTag.start, end: scan.at };
  closeElement(scan, element);
}

function closeElement(scan: Scan, element: ElementDraft): void {
  element.children = element.children.length === 0 ? scan.nothing.list : compact(element.children);
  undeclareNamespaces(scan, element.attributeNodes);
}

function scanText(scan: Scan, top: Top, end: number): void {
  const start = scan.at;
  const raw = scan.text.slice(start, end);
  scan.at = end;
  if (scan.open.length === 0 && top.kind === "document") {
    const stray = raw.search(/[^ \t\r\n]/);
    if (stray !== -1) fail(scan, "there is text outside the root element", start + stray);
    return;
  }
  const mark = raw.indexOf("]]>");
  if (mark !== -1) fail(scan, '"]]>" in a text must be written "]]&gt;"', start + mark);
  const isPlain = !raw.includes("&") && !raw.includes("\r");
  const text = isPlain ? raw : decodeValue(raw, "text", (message, at) => fail(scan, message, start + at));
  append(scan, top, { type: "text", text, parent: parentOf(scan), span: { start, end } });
  countNode(scan, start);
}

function scanMarked(scan: Scan, top: Top): void {
  const { text, at: start } = scan;
  if (text.startsWith("<!--", start)) {
    scanComment(scan, top);
  } else if (text.startsWith("<![CDATA[", start)) {
    scanCData(scan, top);
  } else if (text.startsWith("<!DOCTYPE", start)) {
    fail(scan, "it has a document type (<!DOCTYPE …>), which is not read", start);
  } else {
    fail(scan, 'a "<!" begins neither a comment nor a CDATA section', start);
  }
}

function scanComment(scan: Scan, top: Top): void {
  const { text, at: start } = scan;
  const end = text.indexOf("--", start + 4);
  if (end === -1) fail(scan, "a comment has no end", start);
  if (text.charAt(end + 2) !== ">") fail(scan, 'there is "--" in a comment', end);
  scan.at = end + 3;
  const content = normaliseLineEnds(text.slice(start + 4, end));
  append(scan, top, { type: "comment", text: content, parent: parentOf(scan), span: { start, end: scan.at } });
  countNode(scan, start);
}

function scanCData(scan: Scan, top: Top): void {
  const { text, at: start } = scan;
  if (scan.open.length === 0 && top.kind === "document") fail(scan, "there is text outside the root element", start);
  const end = text.indexOf("]]>", start + 9);
  if (end === -1) fail(scan, "a CDATA section has no end", start);
  scan.at = end + 3;
  countNode(scan, start);
  const content = normaliseLineEnds(text.slice(start + 9, end));
  const siblings = parentOf(scan)?.children ?? top.nodes;
  const last = siblings.at(-1);
  // Sections that touch are one: the way to write "]]>" in them, and what libxml2 makes of them.
  const isContinued = last?.type === "cdata" && last.span.end === start;
  const cdata = isContinued ? siblings.pop() : undefined;
  const before = cdata?.type === "cdata" ? cdata : { text: "", span: { start } };
  const span = { start: before.span.start, end: scan.at };
  siblings.push({ type: "cdata", text: before.text + content, parent: parentOf(scan), span });
}

function scanInstruction(scan: Scan, top: Top): void {
  const { text, at: start } = scan;
  INSTRUCTION.lastIndex = start;
  const target = INSTRUCTION.exec(text)?.[1];
  if (target === undefined || !isName(target)) fail(scan, "a processing instruction has no proper name", start);
  if (target.toLowerCase() === "xml") fail(scan, "an XML declaration stands elsewhere than at the very start", start);
  const contentStart = INSTRUCTION.lastIndex;
  const end = text.indexOf("?>", contentStart);
  if (end === -1) fail(scan, "a processing instruction has no end", start);
  scan.at = end + 2;
  const content = normaliseLineEnds(text.slice(contentStart, end));
  const span = { start, end: scan.at };
  const parent = parentOf(scan);
  const instruction: XmlProcessingInstruction = { type: "processing-instruction", target, content, parent, span };
  if (parent === null) top.processingInstructions.push(instruction);
  else if (parent.processingInstructions.length === 0) parent.processingInstructions = [instruction];
  else parent.processingInstructions.push(instruction);
  countNode(scan, start);
}

function parentOf(scan: Scan): ElementDraft | null {
  return scan.open.at(-1) ?? null;
}

function append(scan: Scan, top: Top, node: XmlNode): void {
  (parentOf(scan)?.children ?? top.nodes).push(node);
}
