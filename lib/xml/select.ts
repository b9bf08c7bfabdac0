/**
 * Follows a path through a document. Pure; the meaning is that of XPath 1.0.
 * @module
 */

import { XmlLimitError } from "./limit_error.ts";
import type { Condition, NameTest, Operand, Path, Predicate, Step } from "./path.ts";
import type { XmlAttribute, XmlCData, XmlDocument, XmlElement, XmlName, XmlNode, XmlText } from "./tree.ts";
import { isNamespaceDeclaration } from "./tree.ts";

/** What a path can select. */
export type SelectedNode = XmlElement | XmlAttribute | XmlText | XmlCData;

/** A node on the way; `null` is the document itself. */
type Context = SelectedNode | null;

interface Walk {
  readonly document: XmlDocument;
  readonly path: Path;
  visits: number;
}

/** So many nodes may be looked at. Paths in rules look at each node a few times; only a hostile document needs more. */
const VISITS_MAX = 4_000_000;

/**
 * The nodes that a path selects, in the order of the document, each once.
 *
 * @throws {XmlLimitError} when the document makes the path look at too many nodes
 */
export function select(path: Path, document: XmlDocument): readonly SelectedNode[] {
  const walk: Walk = { document, path, visits: 0 };
  return follow(walk, path.steps, null).filter((node) => node !== null);
}

function follow(walk: Walk, steps: readonly Step[], start: Context): readonly Context[] {
  let contexts: readonly Context[] = [start];
  for (const step of steps) contexts = followStep(walk, step, contexts);
  return contexts;
}

function followStep(walk: Walk, step: Step, contexts: readonly Context[]): readonly Context[] {
  const found = new Set<Context>();
  if (step.kind === "parent") {
    for (const context of contexts) {
      if (context !== null) found.add(context.parent);
    }
    return inDocumentOrder(found);
  }
  for (const base of step.anywhere ? withDescendants(walk, contexts) : contexts) {
    const candidates = takeStep(walk, step, base);
    for (const node of applyPredicates(walk, step.predicates, candidates)) found.add(node);
  }
  // The children or attributes of one node are in order already.
  return contexts.length === 1 && !step.anywhere ? [...found] : inDocumentOrder(found);
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

function takeStep(walk: Walk, step: Exclude<Step, { kind: "parent" }>, context: Context): SelectedNode[] {
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
  switch (condition.kind) {
    case "and":
      return isTrue(walk, condition.left, node) && isTrue(walk, condition.right, node);
    case "or":
      return isTrue(walk, condition.left, node) || isTrue(walk, condition.right, node);
    case "not":
      return !isTrue(walk, condition.condition, node);
    case "exists":
      return follow(walk, condition.steps, node).length > 0;
    case "equals": {
      const right = new Set(operandValues(walk, condition.right, node));
      return operandValues(walk, condition.left, node).some((value) => right.has(value));
    }
    // These two look at the first node only, and at an empty text if there is none.
    case "starts-with":
      return firstValue(walk, condition.left, node).startsWith(firstValue(walk, condition.right, node));
    case "contains":
      return firstValue(walk, condition.left, node).includes(firstValue(walk, condition.right, node));
  }
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
  let text = "";
  for (const child of childrenOf(walk, node)) {
    if (child.type !== "comment") text += stringValue(walk, child);
  }
  return text;
}

function inDocumentOrder(nodes: Set<Context>): readonly Context[] {
  return [...nodes].sort((a, b) => (a?.span.start ?? -1) - (b?.span.start ?? -1));
}

function countVisits(walk: Walk, visits: number): void {
  walk.visits += visits;
  if (walk.visits > VISITS_MAX) {
    throw new XmlLimitError(`Cannot follow the path "${walk.path.text}": it looks at more than ${VISITS_MAX} nodes`);
  }
}
