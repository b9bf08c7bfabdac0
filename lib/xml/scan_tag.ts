/**
 * Reads a start tag: name, attributes with their places, namespaces.
 * @module
 */

import { XML_LIMITS } from "./limits.ts";
import { splitName } from "./names.ts";
import { compact, countNode, declareNamespaces, type ElementDraft, fail, resolveName, type Scan } from "./scan.ts";
import { failInTag } from "./tag_problem.ts";
import type { XmlAttribute, XmlElement, XmlName } from "./tree.ts";
import { decodeValue } from "./value.ts";

const TAG_NAME = /<([^ \t\r\n"'<>/=&!?]+)/y;
const ATTRIBUTE = /([ \t\r\n]+)([^ \t\r\n"'<>/=&]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /[ \t\r\n]*(\/?)>/y;
const SPECIAL = /[&\t\n\r]/;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the start tag at `scan.at` and returns its element, still without children. */
export function scanStartTag(scan: Scan): ElementDraft {
  const start = scan.at;
  const name = scanTagName(scan);
  const startTag = { start, end: start };
  const element: Mutable<ElementDraft> = {
    type: "element",
    name,
    attributes: scan.nothing.record,
    attributeNodes: scan.nothing.list,
    children: [],
    processingInstructions: scan.nothing.list,
    parent: scan.open.at(-1) ?? null,
    span: startTag,
    startTag,
    endTag: null,
  };
  const attributes = scanAttributes(scan, element);
  TAG_END.lastIndex = scan.at;
  if (!TAG_END.test(scan.text)) failInTag(scan, name.raw);
  scan.at = TAG_END.lastIndex;
  startTag.end = scan.at;
  countNode(scan, start);
  if (attributes === null) {
    element.name = resolveName(scan, name, start + 1, "element");
    return element;
  }
  element.attributes = attributes.values;
  if (attributes.hasNamespaces) declareNamespaces(scan, attributes.nodes);
  element.name = resolveName(scan, name, start + 1, "element");
  if (attributes.hasNamespaces) resolveAttributes(scan, attributes.nodes);
  element.attributeNodes = compact(attributes.nodes);
  return element;
}

/** Whether a start tag is all there is of its element. */
export function isSelfClosing(scan: Scan, element: ElementDraft): boolean {
  return scan.text.charCodeAt(element.startTag.end - 2) === 0x2F;
}

function scanTagName(scan: Scan): XmlName {
  TAG_NAME.lastIndex = scan.at;
  if (!TAG_NAME.test(scan.text)) fail(scan, 'a "<" begins no tag and must be written "&lt;"', scan.at);
  const raw = scan.text.slice(scan.at + 1, TAG_NAME.lastIndex);
  const name = readName(scan, raw);
  if (name === null) fail(scan, `"${raw.slice(0, 60)}" is not a name for an element`, scan.at + 1);
  scan.at = TAG_NAME.lastIndex;
  return name;
}

/** A name, still without its namespace; `null` if it is none. Documents use few names many times. */
function readName(scan: Scan, raw: string): XmlName | null {
  const known = scan.names.get(raw);
  if (known !== undefined) return known;
  if (raw.length > XML_LIMITS.nameCharacters) {
    fail(scan, `a name is longer than ${XML_LIMITS.nameCharacters} characters`, scan.at);
  }
  const parts = splitName(raw);
  if (parts === null) return null;
  const name: XmlName = { raw, ...parts };
  scan.names.set(raw, name);
  return name;
}

interface Attributes {
  readonly values: Record<string, string>;
  readonly nodes: XmlAttribute[];
  hasNamespaces: boolean;
}

/** Reads the attributes of a tag; `null` if there are none. */
function scanAttributes(scan: Scan, parent: XmlElement): Attributes | null {
  let attributes: Attributes | null = null;
  for (let place = findAttribute(scan); place !== null; place = findAttribute(scan)) {
    attributes ??= { values: newRecord(scan), nodes: [], hasNamespaces: false };
    const { values, nodes } = attributes;
    const { start, name, valueStart, end } = place;
    const { raw } = name;
    if (values[raw] !== undefined) fail(scan, `the attribute "${raw.slice(0, 60)}" stands twice in one tag`, start);
    countAttribute(scan, start);
    const rawValue = scan.text.slice(valueStart, end - 1);
    const value = SPECIAL.test(rawValue) ? decodeAttribute(scan, rawValue, valueStart) : rawValue;
    values[raw] = value;
    if (name.prefix !== undefined || raw === "xmlns") attributes.hasNamespaces = true;
    nodes.push({
      type: "attribute",
      // The namespace of a prefix is looked up once all declarations of the tag are known.
      name,
      value,
      parent,
      span: { start, end },
      valueSpan: { start: valueStart, end: end - 1 },
    });
    scan.at = end;
  }
  return attributes;
}

interface AttributePlace {
  readonly name: XmlName;
  readonly start: number;
  readonly valueStart: number;
  /** Behind the closing quote. */
  readonly end: number;
}

function findAttribute(scan: Scan): AttributePlace | null {
  return findPlainAttribute(scan) ?? findAnyAttribute(scan);
}

/** The usual way to write one, ` name='value'` with a name met before, found without the larger expression. */
function findPlainAttribute({ text, at, names }: Scan): AttributePlace | null {
  // Without a letter here there may be no "=" for long, and the search for it would be repeated for each tag.
  if (text.charCodeAt(at) !== 0x20 || text.charCodeAt(at + 1) < 0x41) return null;
  const start = at + 1;
  const equals = text.indexOf("=", start);
  const name = names.get(text.slice(start, equals));
  const quote = text.charAt(equals + 1);
  if (name === undefined || (quote !== "'" && quote !== '"')) return null;
  const valueEnd = text.indexOf(quote, equals + 2);
  const valueStart = equals + 2;
  return valueEnd === -1 || text.slice(valueStart, valueEnd).includes("<")
    ? null
    : { name, start, valueStart, end: valueEnd + 1 };
}

function findAnyAttribute(scan: Scan): AttributePlace | null {
  ATTRIBUTE.lastIndex = scan.at;
  const match = ATTRIBUTE.exec(scan.text);
  if (match === null) return null;
  const [, space = "", raw = "", value = match[4] ?? ""] = match;
  const start = scan.at + space.length;
  const end = ATTRIBUTE.lastIndex;
  const name = readName(scan, raw);
  if (name === null) fail(scan, `"${raw.slice(0, 60)}" is not a name for an attribute`, start);
  return { name, start, valueStart: end - 1 - value.length, end };
}

/** With an empty prototype: no name is found that is not there. Without any it would take more memory. */
function newRecord(scan: Scan): Record<string, string> {
  return Object.create(scan.nothing.record);
}

function decodeAttribute(scan: Scan, raw: string, start: number): string {
  return decodeValue(raw, "attribute", (message, at) => fail(scan, message, start + at));
}

function countAttribute(scan: Scan, offset: number): void {
  scan.attributeCount += 1;
  const { attributes } = scan.limits;
  if (scan.attributeCount > attributes) fail(scan, `it has more than ${attributes} attributes in all`, offset);
}

function resolveAttributes(scan: Scan, attributes: XmlAttribute[]): void {
  for (const [index, attribute] of attributes.entries()) {
    if (attribute.name.prefix === undefined) continue;
    const name = resolveName(scan, attribute.name, attribute.span.start, "attribute");
    if (name !== attribute.name) attributes[index] = { ...attribute, name };
  }
}
