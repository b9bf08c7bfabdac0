/**
 * Random documents and paths for property tests: few names and values, so that paths find something.
 * @module
 */

import * as fc from "fast-check";

/** A document and how many elements it has; each element has its number as its attribute `i`. */
export interface GeneratedDocument {
  readonly text: string;
  readonly elementCount: number;
}

interface ElementModel {
  readonly name: string;
  readonly attributes: readonly string[];
  readonly namespace: string;
  readonly children: readonly (ElementModel | string)[];
  readonly space: string;
  readonly isShort: boolean;
}

/** The namespaces that generated paths may use. */
export const NAMESPACES = { p: "urn:p", d: "urn:d" } as const;

const NAMES = ["a", "b", "c", "p:a", "p:b"];
const VALUES = ["", "v", "w", "vw", "1", "v w"];
// Not well-formed by the rules of namespaces, and names that only libxml2's reading makes.
const ODD_NAMES = [
  "u:a",
  "d:b",
  "u:a:b",
  "p:a:b",
  "p:a:",
  ":a",
  "a:",
  "a:1",
  "a::b",
  "xmlns:a",
  "\uFEFFa",
  "a\u1680",
  "é:a",
];
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...ODD_NAMES) },
);

// Each may stand in an attribute of either quote.
const attributeValue = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...VALUES) },
  fc.constantFrom("v&amp;", "&lt;w", "&#118;", "&#x77;v", "v\tw", "v\nw", "&apos;&quot;", "é😀v", "v&#10;"),
);
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...VALUES.slice(1)) },
  { weight: 2, arbitrary: fc.constantFrom("\n  ", "\n", " ", "\n\t") },
  fc.constantFrom("v&amp;w", "&lt;v", "&#118;", "a]]&gt;", "]]", ">", "é😀", "&#xA;", "\r\n", "w\rv", "&#13;"),
);
const other = fc.constantFrom(
  "<![CDATA[v]]>",
  "<![CDATA[]]>",
  "<![CDATA[<a>&amp;]]]]>",
  "<!--v-->",
  "<!-- <a/> -->",
  "<?v w?>",
  "<?w?>",
  "<?v:w ?>",
  "<?:v?>",
);
const attributeName = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("x", "y", "p:x") },
  { weight: 1, arbitrary: fc.constantFrom("d:x", "u:x", "xml:x", ":x", "x:", "p:x:y", "u:x:y", "x\uFEFF", "\u1680") },
);
// The prefix p always is bound to something, and sometimes to something else than at the root.
const namespace = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  fc.constantFrom(` xmlns="urn:d"`, ` xmlns=""`, ` xmlns:p="urn:d"`, ` xmlns:d="urn:d"`),
  fc.constantFrom(
    ` xmlns:d=""`,
    ` xmlns:xml="urn:d"`,
    ` xmlns:xmlns="urn:d"`,
    ` xmlns:d="http://www.w3.org/2000/xmlns/"`,
    ` xmlns:d="http://www.w3.org/XML/1998/namespace"`,
    ` xmlns="http://www.w3.org/2000/xmlns/"`,
    ` xmlns:d:e="urn:d"`,
    ` xmlns:="urn:d"`,
  ),
);

const { element } = fc.letrec<{ element: ElementModel; child: ElementModel | string }>((tie) => ({
  element: fc.record({
    name,
    namespace,
    attributes: fc.uniqueArray(fc.tuple(attributeName, attributeValue, fc.constantFrom("'", '"')), {
      selector: ([attributeName]) => attributeName,
      maxLength: 3,
    }).map((attributes) =>
      attributes.map(([attributeName, value, quote]) => `${attributeName}=${quote}${value}${quote}`)
    ),
    children: fc.array(tie("child"), { maxLength: 6, size: "max" }),
    space: fc.constantFrom("", " ", "\n  "),
    isShort: fc.boolean(),
  }),
  child: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 3, arbitrary: text },
    { weight: 1, arbitrary: other },
    { weight: 4, arbitrary: tie("element") },
  ),
}));

/** Well-formed documents with namespaces, CDATA, comments, references and odd white space. */
export const documents: fc.Arbitrary<GeneratedDocument> = fc.tuple(
  element,
  fc.constantFrom(
    "",
    "<?xml version='1.0'?>\n",
    "<!-- v -->",
    "\uFEFF",
    "\uFEFF<?xml version='1.0' encoding='UTF-8'?>",
  ),
  fc.constantFrom("", "\n", "\r\n<!--w-->", "<?w?>"),
).map(([root, before, after]) => {
  const counter = { count: 0 };
  return { text: before + printElement(root, counter) + after, elementCount: counter.count };
});

function printElement(model: ElementModel, counter: { count: number }): string {
  const declarations = counter.count === 0
    ? ` xmlns:p="urn:p"${model.namespace.replace(/ xmlns:p=.*/, "")}`
    : model.namespace;
  const number = counter.count;
  counter.count += 1;
  const attributes = model.attributes.map((attribute) => ` ${attribute}`).join("");
  const tag = `<${model.name} i="${number}"${attributes}${declarations}${model.space}`;
  if (model.children.length === 0 && model.isShort) return `${tag}/>`;
  const children = model.children.map((child) => typeof child === "string" ? child : printElement(child, counter));
  // Two texts that are harmless by themselves must not make "]]>" together.
  const content = children.reduce(
    (before, child) => before + (before.endsWith("]]") && child === ">" ? "v" : child),
    "",
  );
  return `${tag}>${content}</${model.name}${model.space}>`;
}

const nameTest = fc.constantFrom(...NAMES, "a", "b", "*", "p:*", "d:a", "d:*");
const attributeTest = fc.constantFrom("@x", "@y", "@p:x", "@*", "@i", "@p:*", "@d:x");
const literal = fc.constantFrom("'v'", '"w"', "'vw'", "'1'", "''", "'v w'");

type Grammar = {
  readonly relative: string;
  readonly operand: string;
  readonly condition: string;
  readonly predicate: string;
  readonly steps: string;
};

const grammar = fc.letrec<Grammar>((tie) => ({
  relative: fc.oneof(
    { depthSize: "small" },
    attributeTest,
    nameTest,
    fc.constantFrom("text()", ".", "..", ".//text()", "../@x", ".//@x", "./b", ".//a"),
    fc.tuple(nameTest, tie("predicate")).map((parts) => parts.join("")),
    fc.tuple(nameTest, fc.constantFrom("/", "//"), tie("relative")).map(joinRelative),
  ),
  operand: fc.oneof(tie("relative"), literal),
  condition: fc.oneof(
    { depthSize: "small" },
    tie("relative"),
    fc.tuple(tie("relative"), tie("operand")).map(([left, right]) => `${left}=${right}`),
    fc.tuple(literal, tie("relative")).map(([left, right]) => `${left} = ${right}`),
    fc.tuple(fc.constantFrom("starts-with", "contains"), tie("relative"), tie("operand"))
      .map(([name, left, right]) => `${name}(${left}, ${right})`),
    tie("condition").map((condition) => `not(${condition})`),
    fc.tuple(tie("condition"), fc.constantFrom("and", "or"), tie("condition")).map((parts) => parts.join(" ")),
    tie("condition").map((condition) => `(${condition})`),
  ),
  predicate: fc.oneof(
    fc.constantFrom("[1]", "[2]", "[3]", "[last()]"),
    tie("condition").map((condition) => `[${condition}]`),
  ),
  steps: fc.array(
    fc.tuple(fc.constantFrom("/", "//", "//"), nameTest, fc.array(tie("predicate"), { maxLength: 2 })),
    { minLength: 1, maxLength: 3 },
  ).map((steps) => steps.map(([separator, test, predicates]) => separator + test + predicates.join("")).join("")),
}));

/** A path in a condition goes on after an element: `.` may stand only at its beginning, `..` not after `//`. */
function joinRelative([first, separator, rest]: [string, string, string]): string {
  const relative = rest.replace(/^\.\/*/, "") || "a";
  return `${first}${relative.startsWith(".") ? "/.." : separator + relative}`;
}

/** Paths of the language, with all it has. */
export const paths: fc.Arbitrary<string> = fc.tuple(
  fc.oneof(
    { weight: 1, arbitrary: grammar.steps },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom("//*", "//a", "/*//b"), grammar.predicate).map((parts) => parts.join("")),
    },
  ),
  fc.oneof(
    { weight: 4, arbitrary: fc.constant("") },
    fc.tuple(fc.constantFrom("/", "//"), attributeTest).map((parts) => parts.join("")),
    fc.tuple(fc.constantFrom("/", "//"), fc.constantFrom("text()", "text()[1]", "text()[last()]", "@*[2]", "@*[.='v']"))
      .map((parts) => parts.join("")),
    fc.constantFrom("/..", "/../b", "/@x/..", "/text()/../.."),
  ),
).map((parts) => parts.join(""));
