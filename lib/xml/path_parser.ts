/**
 * Reads a path: tokens in, steps out.
 * @module
 */

import {
  type Condition,
  type NameTest,
  type Operand,
  type Path,
  type PathStep,
  PathSyntaxError,
  type Predicate,
} from "./path.ts";
import { type Token, tokenisePath } from "./path_tokens.ts";
import { XML_NAMESPACE } from "./scan.ts";

/** URIs by prefix. */
export type Namespaces = Readonly<Record<string, string>>;

interface Reader {
  readonly path: string;
  readonly tokens: readonly Token[];
  readonly namespaces: Namespaces;
  at: number;
  depth: number;
}

const DEPTH_MAX = 32;
const FUNCTIONS = ["not", "starts-with", "contains", "last", "text"];

/**
 * Reads a path that begins at the document.
 *
 * @param namespaces the URIs that the prefixes in the path stand for
 * @throws {PathSyntaxError} when it is not a path, or uses more of XPath than we follow, or can never select anything
 */
export function parsePath(text: string, namespaces: Namespaces = {}): Path {
  const reader: Reader = { path: text, tokens: tokenisePath(text), namespaces, at: 0, depth: 0 };
  const first = peek(reader);
  if (!isMark(first, "/") && !isMark(first, "//")) failAt(reader, first, 'a path begins with "/" or "//"');
  const steps = readSteps(reader, "document");
  const rest = peek(reader);
  if (rest.kind !== "end") failUnexpected(reader, rest);
  return { kind: "path", text, steps };
}

function readSteps(reader: Reader, from: "document" | "node"): readonly PathStep[] {
  const steps: PathStep[] = [];
  let separator = from === "document" ? next(reader).text : "";
  if (from === "node" && isMark(peek(reader), ".")) {
    next(reader);
    if (!isSeparator(peek(reader))) return steps;
    separator = next(reader).text;
  }
  for (;;) {
    const token = peek(reader);
    const step = readStep(reader, separator === "//");
    const previous = steps.at(-1);
    if (previous === undefined && separator === "/" && from === "document" && step.kind !== "child") {
      failAt(reader, token, "the document itself holds one element and nothing else");
    }
    if ((previous?.kind === "attribute" || previous?.kind === "text") && step.kind !== "parent") {
      failAt(reader, token, 'nothing but ".." leads on from an attribute or a text');
    }
    steps.push(step);
    if (!isSeparator(peek(reader))) return steps;
    separator = next(reader).text;
  }
}

function readStep(reader: Reader, anywhere: boolean): PathStep {
  const token = next(reader);
  if (isMark(token, "..")) {
    if (anywhere) failAt(reader, token, '".." cannot stand after "//"');
    if (isMark(peek(reader), "[")) failAt(reader, peek(reader), '".." takes no condition');
    return { kind: "parent" };
  }
  if (isMark(token, "@")) {
    const name = readNameTest(reader, next(reader), "attribute");
    return { kind: "attribute", name, anywhere, predicates: readPredicates(reader) };
  }
  if (token.kind === "name" && isMark(peek(reader), "(")) {
    if (token.text !== "text") failFunction(reader, token);
    next(reader);
    expect(reader, ")");
    return { kind: "text", anywhere, predicates: readPredicates(reader) };
  }
  const name = readNameTest(reader, token, "element");
  return { kind: "child", name, anywhere, predicates: readPredicates(reader) };
}

function readNameTest(reader: Reader, token: Token, kind: "element" | "attribute"): NameTest {
  if (isMark(token, "*")) return { kind: "any" };
  if (token.kind !== "name") failUnexpected(reader, token);
  const [prefix, local] = token.text.includes(":") ? token.text.split(":") : [undefined, token.text];
  if (kind === "attribute" && (prefix ?? local) === "xmlns") {
    failAt(reader, token, "a declaration of a namespace is not an attribute in a path");
  }
  if (prefix === undefined) return { kind: "name", local: local ?? "", uri: undefined };
  const uri = prefix === "xml" ? XML_NAMESPACE : boundUri(reader, prefix);
  if (uri === undefined || uri === "") failAt(reader, token, `the prefix "${prefix}" is not declared`);
  return local === "*" ? { kind: "namespace", uri } : { kind: "name", local: local ?? "", uri };
}

function boundUri(reader: Reader, prefix: string): string | undefined {
  return Object.hasOwn(reader.namespaces, prefix) ? reader.namespaces[prefix] : undefined;
}

function readPredicates(reader: Reader): readonly Predicate[] {
  const predicates: Predicate[] = [];
  while (isMark(peek(reader), "[")) {
    descend(reader, next(reader));
    predicates.push(readPredicate(reader));
    expect(reader, "]");
    reader.depth -= 1;
  }
  return predicates;
}

function readPredicate(reader: Reader): Predicate {
  const token = peek(reader);
  if (token.kind === "number") {
    const position = Number(next(reader).text);
    if (position < 1 || !Number.isSafeInteger(position)) failAt(reader, token, "positions begin with 1");
    return { kind: "position", position };
  }
  if (token.kind === "name" && token.text === "last" && isMark(peek(reader, 1), "(")) {
    next(reader);
    next(reader);
    expect(reader, ")");
    return { kind: "last" };
  }
  return { kind: "condition", condition: readOr(reader) };
}

function readOr(reader: Reader): Condition {
  let left = readAnd(reader);
  while (isWord(peek(reader), "or")) {
    next(reader);
    left = { kind: "or", left, right: readAnd(reader) };
  }
  return left;
}

function readAnd(reader: Reader): Condition {
  let left = readTerm(reader);
  while (isWord(peek(reader), "and")) {
    next(reader);
    left = { kind: "and", left, right: readTerm(reader) };
  }
  return left;
}

function readTerm(reader: Reader): Condition {
  const token = peek(reader);
  if (isMark(token, "(")) return readInParentheses(reader, token);
  if (token.kind === "name" && isMark(peek(reader, 1), "(")) {
    switch (token.text) {
      case "not":
        next(reader);
        return { kind: "not", condition: readInParentheses(reader, token) };
      case "starts-with":
      case "contains":
        return readComparison(reader, token.text);
    }
  }
  const left = readOperand(reader);
  if (!isMark(peek(reader), "=")) {
    if (left.kind === "literal") failAt(reader, token, "a text by itself is no condition");
    return { kind: "exists", steps: left.steps };
  }
  next(reader);
  const rightToken = peek(reader);
  const right = readOperand(reader);
  if (left.kind === "literal" && right.kind === "literal") failAt(reader, rightToken, "two fixed texts are compared");
  return { kind: "equals", left, right };
}

function readInParentheses(reader: Reader, token: Token): Condition {
  descend(reader, token);
  expect(reader, "(");
  const condition = readOr(reader);
  expect(reader, ")");
  reader.depth -= 1;
  return condition;
}

function readComparison(reader: Reader, kind: "starts-with" | "contains"): Condition {
  const token = next(reader);
  expect(reader, "(");
  const left = readOperand(reader);
  expect(reader, ",");
  const right = readOperand(reader);
  expect(reader, ")");
  if (left.kind === "literal" && right.kind === "literal") failAt(reader, token, "two fixed texts are compared");
  return { kind, left, right };
}

function readOperand(reader: Reader): Operand {
  const token = peek(reader);
  if (token.kind === "number") failAt(reader, token, `a number is compared as a text: write '${token.text}'`);
  if (token.kind === "literal") return { kind: "literal", value: next(reader).text };
  if (isSeparator(token)) {
    failAt(reader, token, 'a path in a condition begins at the node, for example with "@" or ".//"');
  }
  return { kind: "path", steps: readSteps(reader, "node") };
}

function descend(reader: Reader, token: Token): void {
  reader.depth += 1;
  if (reader.depth > DEPTH_MAX) failAt(reader, token, `conditions are nested deeper than ${DEPTH_MAX}`);
}

function peek(reader: Reader, ahead = 0): Token {
  return reader.tokens[reader.at + ahead] ?? { kind: "end", text: "", offset: reader.path.length };
}

function next(reader: Reader): Token {
  const token = peek(reader);
  reader.at += 1;
  return token;
}

function expect(reader: Reader, mark: string): void {
  const token = next(reader);
  if (!isMark(token, mark)) failAt(reader, token, `found ${describe(token)}, expected "${mark}"`);
}

function isMark(token: Token, text: string): boolean {
  return token.kind === "mark" && token.text === text;
}

function isWord(token: Token, text: string): boolean {
  return token.kind === "name" && token.text === text;
}

function isSeparator(token: Token): boolean {
  return isMark(token, "/") || isMark(token, "//");
}

function describe(token: Token): string {
  return token.kind === "end" ? "the end" : `"${token.text}"`;
}

function failFunction(reader: Reader, token: Token): never {
  const known = FUNCTIONS.includes(token.text)
    ? `"${token.text}()" cannot stand here`
    : `"${token.text}()" is not supported`;
  failAt(reader, token, known);
}

function failUnexpected(reader: Reader, token: Token): never {
  failAt(reader, token, token.kind === "end" ? "it ends too early" : `${describe(token)} cannot stand here`);
}

function failAt(reader: Reader, token: Token, problem: string): never {
  throw new PathSyntaxError(reader.path, token.offset + 1, problem);
}
