import { parseDocument } from "../../lib/xml/document.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import type { XmlDeclaration, XmlDocument, XmlElement, XmlName, XmlNode } from "../../lib/xml/tree.ts";
import { assert, assertEquals } from "../support/assert.ts";
import type {
  StdXmlDeclaration,
  StdXmlDocument,
  StdXmlElement,
  StdXmlName,
  StdXmlNode,
  StdXmlSyntaxError,
} from "./std_xml_types.ts";

/** `true` if an `Ours` can be given where a `Theirs` is asked for, and no type at all otherwise. */
type Fits<Ours, Theirs> = Ours extends Theirs ? true : never;

const FITS: readonly [
  Fits<XmlDocument, StdXmlDocument>,
  Fits<XmlElement, StdXmlElement>,
  Fits<XmlNode, StdXmlNode>,
  Fits<XmlName, StdXmlName>,
  Fits<XmlDeclaration, StdXmlDeclaration>,
  Fits<XmlSyntaxError, StdXmlSyntaxError>,
] = [true, true, true, true, true, true];

/** A function as one would write it for the tree of `@std/xml`. */
function outline(node: StdXmlNode): string {
  switch (node.type) {
    case "element":
      return `${node.name.raw}${JSON.stringify(node.attributes)}(${node.children.map(outline).join(" ")})`;
    default:
      return `${node.type}:${node.text}`;
  }
}

Deno.test("the tree fits the types of @std/xml", () => {
  assert(FITS.every((fits) => fits));
  const document: StdXmlDocument = parseDocument("<a x='1'>t<![CDATA[c]]><!--d--><?p i?><b/></a>");
  assertEquals(outline(document.root), 'a{"x":"1"}(text:t cdata:c comment:d b{}())');
});

Deno.test("XmlSyntaxError is a SyntaxError with line, column and offset", () => {
  const error = new XmlSyntaxError("Cannot parse", { line: 2, column: 3, offset: 9 });
  assert(error instanceof SyntaxError);
  assertEquals(
    { name: error.name, message: error.message, line: error.line, column: error.column, offset: error.offset },
    { name: "XmlSyntaxError", message: "Cannot parse at line 2, column 3", line: 2, column: 3, offset: 9 },
  );
});
