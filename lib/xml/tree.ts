/**
 * The tree of an XML document, as data: read-only, and every node knows its place in the original text.
 *
 * It has the shape of the tree of the standard library's `@std/xml`, so that what is written for that works on this
 * one. Added are the spans, attributes as nodes, default namespaces, parents and processing instructions.
 * @module
 */

/** A stretch of the original text, in UTF-16 code units: from `start` up to, but not with, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A place in the original text, as people count: lines and columns from 1, the offset from 0. */
export interface XmlPosition {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** A name as written, split at its colon, and the namespace it belongs to. */
export interface XmlName {
  readonly raw: string;
  /** All of `raw` where its prefix is bound to no namespace, as with libxml2. */
  readonly local: string;
  readonly prefix?: string;
  /** An element without a prefix has the default namespace here, an attribute without a prefix has none. */
  readonly uri?: string;
}

export interface XmlDeclaration extends XmlPosition {
  readonly type: "declaration";
  readonly version: string;
  readonly encoding?: string;
  readonly standalone?: "yes" | "no";
  readonly span: Span;
}

/** Namespace declarations are attributes too, as in the text. */
export interface XmlAttribute {
  readonly type: "attribute";
  readonly name: XmlName;
  /** Decoded: references replaced, white space characters turned into spaces. */
  readonly value: string;
  readonly parent: XmlElement;
  readonly span: Span;
  /** Between the quotes. */
  readonly valueSpan: Span;
}

export interface XmlText {
  readonly type: "text";
  /** Decoded: references replaced, line ends turned into `\n`. */
  readonly text: string;
  readonly parent: XmlElement | null;
  readonly span: Span;
}

/** A CDATA section, or several that touch: `]]>` can be written in no other way. */
export interface XmlCData {
  readonly type: "cdata";
  readonly text: string;
  readonly parent: XmlElement | null;
  /** With the marks `<![CDATA[` and `]]>` around. */
  readonly span: Span;
}

export interface XmlComment {
  readonly type: "comment";
  readonly text: string;
  readonly parent: XmlElement | null;
  readonly span: Span;
}

export interface XmlProcessingInstruction {
  readonly type: "processing-instruction";
  readonly target: string;
  readonly content: string;
  readonly parent: XmlElement | null;
  readonly span: Span;
}

export interface XmlElement {
  readonly type: "element";
  readonly name: XmlName;
  /** Values by the name as written, without a prototype. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The same attributes as nodes, in the order of the text. */
  readonly attributeNodes: readonly XmlAttribute[];
  readonly children: readonly XmlNode[];
  /** Apart from the other children, because the tree of `@std/xml` knows none. */
  readonly processingInstructions: readonly XmlProcessingInstruction[];
  /** `null` in the root. */
  readonly parent: XmlElement | null;
  readonly span: Span;
  readonly startTag: Span;
  /** `null` when the element is one tag, `<like this="one"/>`. */
  readonly endTag: Span | null;
}

export type XmlNode = XmlElement | XmlText | XmlCData | XmlComment;

export interface XmlDocument {
  readonly declaration?: XmlDeclaration;
  readonly root: XmlElement;
  /** Comments and processing instructions before and after the root. */
  readonly outside: readonly (XmlComment | XmlProcessingInstruction)[];
  /** The original text, byte order mark included: what all spans point into. */
  readonly text: string;
}

/** The value of an attribute by its name as written, `null` if it is not there. */
export function getAttribute(element: XmlElement, name: string): string | null {
  return element.attributes[name] ?? null;
}

/** The text in a node and in all that it holds, without comments and processing instructions. */
export function textContent(node: XmlNode | XmlAttribute): string {
  switch (node.type) {
    case "attribute":
      return node.value;
    case "text":
    case "cdata":
    case "comment":
      return node.text;
    case "element": {
      let text = "";
      for (const child of node.children) {
        if (child.type !== "comment") text += textContent(child);
      }
      return text;
    }
  }
}

/** Whether an attribute declares a namespace; paths do not see such attributes. */
export function isNamespaceDeclaration(attribute: XmlAttribute): boolean {
  return attribute.name.raw === "xmlns" || attribute.name.prefix === "xmlns";
}
