/**
 * Steps through a document of libvirt, whose own elements are in no namespace.
 * @module
 */

import { textContent, type XmlElement, type XmlNode } from "../xml/tree.ts";

/** The child elements of a name, in order; none if there is no parent. */
export function childElements(parent: XmlElement | undefined, name: string): readonly XmlElement[] {
  return parent === undefined ? [] : parent.children.filter(isElement).filter((child) => isNamed(child, name));
}

/** The first element down a path of names, such as `descend(domain, "cpu", "numa")`. */
export function descend(from: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  let element = from;
  for (const name of names) {
    element = element?.children.find((child): child is XmlElement => isElement(child) && isNamed(child, name));
  }
  return element;
}

/** The text of the first element down a path of names. */
export function descendText(from: XmlElement | undefined, ...names: readonly string[]): string | undefined {
  const element = descend(from, ...names);
  return element === undefined ? undefined : textContent(element);
}

/** The value of an attribute; an element that is not there has none. */
export function attributeOf(element: XmlElement | undefined, name: string): string | undefined {
  return element?.attributes[name];
}

/** The devices of a name, `<devices><NAME>`. */
export function deviceElements(domain: XmlElement, name: string): readonly XmlElement[] {
  return childElements(domain, "devices").flatMap((devices) => childElements(devices, name));
}

/** Whether an element has a name of libvirt's own. */
export function isNamed(element: XmlElement, name: string): boolean {
  return element.name.local === name && element.name.uri === undefined;
}

export function isElement(node: XmlNode): node is XmlElement {
  return node.type === "element";
}
