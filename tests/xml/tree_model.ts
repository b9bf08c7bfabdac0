/**
 * A plain model of a document that edits can be done to, as the other way to come to an edited tree.
 * @module
 */

import type { XmlAttribute, XmlDocument, XmlNode, XmlProcessingInstruction } from "../../lib/xml/tree.ts";
import type { SelectedNode } from "../../lib/xml/select.ts";

export interface ModelElement {
  kind: "element";
  name: string;
  attributes: ModelAttribute[];
  children: ModelNode[];
}

export interface ModelAttribute {
  kind: "attribute";
  name: string;
  value: string;
}

export interface ModelText {
  kind: "text";
  value: string;
}

/** Comments and processing instructions. */
export interface ModelOther {
  kind: "other";
  value: string;
}

export type ModelNode = ModelElement | ModelText | ModelOther;

/** The model of a document, and which part of it stands for which node. */
export interface Model {
  readonly root: ModelNode;
  readonly parts: ReadonlyMap<SelectedNode, ModelNode | ModelAttribute>;
}

export function modelOf({ root }: XmlDocument): Model {
  const parts = new Map<SelectedNode, ModelNode | ModelAttribute>();
  return { root: modelNode(root, parts), parts };
}

function modelNode(
  node: XmlNode | XmlProcessingInstruction,
  parts: Map<SelectedNode, ModelNode | ModelAttribute>,
): ModelNode {
  switch (node.type) {
    case "text":
    case "cdata": {
      const text: ModelText = { kind: "text", value: node.text };
      parts.set(node, text);
      return text;
    }
    case "comment":
      return { kind: "other", value: node.text };
    case "processing-instruction":
      return { kind: "other", value: `${node.target} ${node.content}` };
    case "element": {
      const attributes = node.attributeNodes.map((attribute) => modelAttribute(attribute, parts));
      const nodes = [...node.children, ...node.processingInstructions].sort((a, b) => a.span.start - b.span.start);
      const children = nodes.map((child) => modelNode(child, parts));
      const element: ModelElement = { kind: "element", name: node.name.raw, attributes, children };
      parts.set(node, element);
      return element;
    }
  }
}

function modelAttribute(
  node: XmlAttribute,
  parts: Map<SelectedNode, ModelNode | ModelAttribute>,
): ModelAttribute {
  const attribute: ModelAttribute = { kind: "attribute", name: node.name.raw, value: node.value };
  parts.set(node, attribute);
  return attribute;
}

/** A form of a model in which two of them can be compared: neighbouring texts are one, empty ones none. */
export function normalForm(node: ModelNode, text: (value: string) => string = (value) => value): unknown {
  if (node.kind !== "element") return { ...node };
  const children: ModelNode[] = [];
  for (const child of node.children) {
    const last = children.at(-1);
    if (child.kind === "text" && last?.kind === "text") last.value += child.value;
    else children.push(child.kind === "text" ? { ...child } : child);
  }
  const kept = children.map((child): ModelNode =>
    child.kind === "text" ? { ...child, value: text(child.value) } : child
  )
    .filter((child) => child.kind !== "text" || child.value !== "");
  return { name: node.name, attributes: node.attributes, children: kept.map((child) => normalForm(child, text)) };
}

/** Removes a part from wherever it stands in a model. */
export function removePart(root: ModelNode, part: ModelNode | ModelAttribute): void {
  if (root.kind !== "element") return;
  root.attributes = root.attributes.filter((attribute) => attribute !== part);
  root.children = root.children.filter((child) => child !== part);
  for (const child of root.children) removePart(child, part);
}

/** Inserts a node beside a part, wherever it stands in a model. */
export function insertBeside(
  root: ModelNode,
  part: ModelNode | ModelAttribute,
  place: "before" | "after",
  node: ModelNode,
): void {
  if (root.kind !== "element") return;
  const index = root.children.findIndex((child) => child === part);
  if (index !== -1) root.children.splice(place === "before" ? index : index + 1, 0, node);
  for (const child of root.children) {
    if (child !== node) insertBeside(child, part, place, node);
  }
}
