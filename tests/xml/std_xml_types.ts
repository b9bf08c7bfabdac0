/**
 * The types of the tree of the standard library's `@std/xml`, as its documentation gives them: what ours must fit into.
 * @module
 */

export interface StdXmlPosition {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

export interface StdXmlName {
  readonly raw: string;
  readonly local: string;
  readonly prefix?: string;
  readonly uri?: string;
}

export interface StdXmlDeclaration extends StdXmlPosition {
  readonly type: "declaration";
  readonly version: string;
  readonly encoding?: string;
  readonly standalone?: "yes" | "no";
}

export interface StdXmlElement {
  readonly type: "element";
  readonly name: StdXmlName;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: ReadonlyArray<StdXmlNode>;
}

export type StdXmlNode =
  | StdXmlElement
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "cdata"; readonly text: string }
  | { readonly type: "comment"; readonly text: string };

export interface StdXmlDocument {
  readonly declaration?: StdXmlDeclaration;
  readonly root: StdXmlElement;
}

/** What `XmlSyntaxError` is there. */
export interface StdXmlSyntaxError extends SyntaxError {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}
