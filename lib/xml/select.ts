/**
 * Follows a path through a document. Pure; the meaning is that of XPath 1.0.
 * @module
 */

import { XmlLimitError } from "./limit_error.ts";
import { XML_LIMITS } from "./limits.ts";
import type { Condition, NameTest, Operand, Path, PathStep, Predicate } from "./path.ts";
import {
  isNamespaceDeclaration,
  type Span,
  type XmlAttribute,
  type XmlCData,
  type XmlDocument,
  type XmlElement,
  type XmlName,
  type XmlNode,
  type XmlText,
} from "./tree.ts";

/** What a path can select. */
export type SelectedNode = XmlElement | XmlAttribute | XmlText | XmlCData;

/** A node on the way; `null` is the document itself. */
type Context = SelectedNode | null;

interface Walk {
  readonly document: XmlDocument;
  readonly path: Path;
  visits: number;
  comparedCharacters: number;
  /** Made when the value of an element with several children is first asked for. */
  values?: ElementValues;
}

/** All text of a document in one string: the value of every element is a stretch of it, which takes no memory of its own. */
interface ElementValues {
  readonly text: string;
  readonly stretches: ReadonlyMap<XmlElement, Span>;
}

/**
 * The nodes that a path selects, in the order of the document, each once.
 *
 * @throws {XmlLimitError} when the document makes the path look at or compare more than the limits allow
 */
export function select(path: Path, document: XmlDocument): readonly SelectedNode[] {
  const walk: Walk = { document, path, visits: 0, comparedCharacters: 0 };
  return follow(walk, path.steps, null).filter((node) => node !== null);
}

function follow(walk: Walk, steps: readonly PathStep[], start: Context): readonly Context[] {
  let contexts: readonly Context[] = [start];
  for (const step of steps) contexts = followStep(walk, step, contexts);
  return contexts;
}

function followStep(walk: Walk, step: PathStep, contexts: readonly Context[]): readonly Context[] {
  const found = new Set<Context>();
  if (step.kind === "parent") {
    countVisits(walk, contexts.length);
    for (const context of contexts) {
      if (context !== null) found.add(context.parent);
    }
    return inDocumentOrder(walk, found);
  }
  for (const base of step.anywhere ? withDescendants(walk, contexts) : contexts) {
    const candidates = takeStep(walk, step, base);
    for (const node of applyPredicates(walk, step.predicates, candidates)) found.add(node);
  }
  // The children or attributes of one node are in order already.
  return contexts.length === 1 && !step.anywhere ? [...found] : inDocumentOrder(walk, found);
}

/** The contexts and all elements below them: whatever else is below has neither children nor attributes. */
function withDescendants(walk: Walk, contexts: readonly Context[]): Set<Context> {
  const found = new Set<Context>();
  const open: Context[] = contexts.toReversed();
  for (let context = open.pop(); context !== undefined; context = open.pop()) {
    if (found.has(context)) continue;
    found.add(context);
    for (const child of childrenOf(walk, context)) {
      if (child.type === "element") open.push(child);
    }
  }
  return found;
}

function takeStep(walk: Walk, step: Exclude<PathStep, { kind: "parent" }>, context: Context): SelectedNode[] {
  const found: SelectedNode[] = [];
  switch (step.kind) {
    case "child":
      for (const child of childrenOf(walk, context)) {
        if (child.type === "element" && matchName(step.name, child.name)) found.push(child);
      }
      return found;
    case "attribute":
      if (context?.type !== "element") return found;
      countVisits(walk, context.attributeNodes.length);
      for (const attribute of context.attributeNodes) {
        if (!isNamespaceDeclaration(attribute) && matchName(step.name, attribute.name)) found.push(attribute);
      }
      return found;
    case "text":
      for (const child of childrenOf(walk, context)) {
        if (child.type === "text" || child.type === "cdata") found.push(child);
      }
      return found;
  }
}

function childrenOf(walk: Walk, context: Context): readonly XmlNode[] {
  const children = context === null ? [walk.document.root] : context.type === "element" ? context.children : [];
  countVisits(walk, children.length);
  return children;
}

function matchName(test: NameTest, name: XmlName): boolean {
  switch (test.kind) {
    case "any":
      return true;
    case "namespace":
      return name.uri === test.uri;
    case "name":
      return name.local === test.local && name.uri === test.uri;
  }
}

function applyPredicates(walk: Walk, predicates: readonly Predicate[], nodes: SelectedNode[]): SelectedNode[] {
  let kept = nodes;
  for (const predicate of predicates) {
    switch (predicate.kind) {
      case "position":
        kept = kept.slice(predicate.position - 1, predicate.position);
        break;
      case "last":
        kept = kept.slice(-1);
        break;
      case "condition":
        kept = kept.filter((node) => isTrue(walk, predicate.condition, node));
    }
  }
  return kept;
}

function isTrue(walk: Walk, condition: Condition, node: SelectedNode): boolean {
  countVisits(walk, 1);
  switch (condition.kind) {
    case "and":
      return isTrue(walk, condition.left, node) && isTrue(walk, condition.right, node);
    case "or":
      return isTrue(walk, condition.left, node) || isTrue(walk, condition.right, node);
    case "not":
      return !isTrue(walk, condition.condition, node);
    case "exists":
      return follow(walk, condition.steps, node).length > 0;
    case "equals":
      return haveCommon(walk, operandValues(walk, condition.left, node), operandValues(walk, condition.right, node));
    // These two look at the first node only, and at an empty text if there is none.
    case "starts-with": {
      const [value, start] = [firstValue(walk, condition.left, node), firstValue(walk, condition.right, node)];
      if (start.length > value.length) return false;
      countCompared(walk, start.length);
      return value.startsWith(start);
    }
    case "contains": {
      const [value, part] = [firstValue(walk, condition.left, node), firstValue(walk, condition.right, node)];
      if (part.length > value.length) return false;
      countCompared(walk, value.length * Math.max(1, part.length - LINEAR_SEARCH_LENGTH));
      return value.includes(part);
    }
  }
}

/** V8 looks for a longer text with no more than this of it in its tables, and can then compare all of it at each place. */
const LINEAR_SEARCH_LENGTH = 250;
/** V8 hashes a longer string by its length alone, so that a set compares it with all of the same length. */
const HASHED_LENGTH = 16_383;

/** Whether two lists of values have a value in common. Only values of the same length are compared at all. */
function haveCommon(walk: Walk, left: readonly string[], right: readonly string[]): boolean {
  const [few, many] = left.length < right.length ? [left, right] : [right, left];
  const [only] = few;
  if (few.length === 1 && only !== undefined) {
    return many.some((value) => {
      if (value.length !== only.length) return false;
      countCompared(walk, value.length);
      return value === only;
    });
  }
  const lengths = new Set(many.map((value) => value.length));
  const wanted = new Set<string>();
  const countSearch = ({ length }: string): void =>
    countCompared(walk, length > HASHED_LENGTH ? length * (wanted.size + 1) : length);
  for (const value of few) {
    if (!lengths.has(value.length)) continue;
    countSearch(value);
    wanted.add(value);
  }
  const wantedLengths = new Set([...wanted].map((value) => value.length));
  return many.some((value) => {
    if (!wantedLengths.has(value.length)) return false;
    countSearch(value);
    return wanted.has(value);
  });
}

function operandValues(walk: Walk, operand: Operand, node: SelectedNode): readonly string[] {
  if (operand.kind === "literal") return [operand.value];
  return follow(walk, operand.steps, node).map((found) => stringValue(walk, found));
}

function firstValue(walk: Walk, operand: Operand, node: SelectedNode): string {
  if (operand.kind === "literal") return operand.value;
  const first = follow(walk, operand.steps, node)[0];
  return first === undefined ? "" : stringValue(walk, first);
}

function stringValue(walk: Walk, node: Context): string {
  if (node?.type === "attribute") return node.value;
  if (node?.type === "text" || node?.type === "cdata") return node.text;
  const element = node ?? walk.document.root;
  const [only, second] = element.children;
  if (only === undefined) return "";
  if (second === undefined && only.type !== "element") return only.type === "comment" ? "" : only.text;
  const { text, stretches } = walk.values ??= elementValues(walk);
  const { start = 0, end = 0 } = stretches.get(element) ?? {};
  return text.slice(start, end);
}

function elementValues(walk: Walk): ElementValues {
  const texts: string[] = [];
  const stretches = new Map<XmlElement, Span>();
  let length = 0;
  const visit = (element: XmlElement): void => {
    const start = length;
    for (const child of childrenOf(walk, element)) {
      if (child.type === "element") visit(child);
      else if (child.type !== "comment") {
        texts.push(child.text);
        length += child.text.length;
      }
    }
    stretches.set(element, { start, end: length });
  };
  visit(walk.document.root);
  return { text: texts.join(""), stretches };
}

/** Most lists are in order as they are. */
function inDocumentOrder(walk: Walk, nodes: Set<Context>): readonly Context[] {
  const list = [...nodes];
  const isInOrder = list.every((node, index) => index === 0 || startOf(list[index - 1] ?? null) <= startOf(node));
  if (isInOrder) return list;
  countVisits(walk, list.length * Math.ceil(Math.log2(list.length)));
  return list.sort((a, b) => startOf(a) - startOf(b));
}

function startOf(node: Context): number {
  return node?.span.start ?? -1;
}

function countVisits(walk: Walk, visits: number): void {
  walk.visits += visits;
  if (walk.visits > XML_LIMITS.visits) fail(walk, `it looks at more than ${XML_LIMITS.visits} nodes`);
}

function countCompared(walk: Walk, characters: number): void {
  walk.comparedCharacters += characters;
  if (walk.comparedCharacters > XML_LIMITS.comparedCharacters) {
    fail(walk, `its conditions compare more than ${XML_LIMITS.comparedCharacters} characters`);
  }
}

function fail(walk: Walk, problem: string): never {
  throw new XmlLimitError(`Cannot follow the path "${walk.path.text}" in this document: ${problem}`);
}
