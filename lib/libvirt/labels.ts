/**
 * Labels: what a user wrote about a guest or a network for rules, in its metadata.
 *
 * `<metadata><vh:labels xmlns:vh="urn:virt-hooks:1"><vh:label name="role">web</vh:label></vh:labels></metadata>`
 * @module
 */

import { textContent, type XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, isElement } from "./elements.ts";
import { VIRT_HOOKS_NAMESPACE } from "./namespaces.ts";

/** A label. Several may have one name. */
export interface Label {
  readonly name: string;
  /** Without the white space around it. */
  readonly value: string;
  readonly element: XmlElement;
}

/**
 * The labels of a guest (`/domain/metadata`, since 0.9.10) or a network (`/network/metadata`), in order. Everywhere; what
 * `virsh metadata --live` changed shows in later calls.
 *
 * libvirt keeps one element of a namespace in `<metadata>`, so there is one `<vh:labels>`. A label without a name is none.
 */
export function labels(object: XmlElement): readonly Label[] {
  const found: Label[] = [];
  for (const metadata of childElements(object, "metadata")) {
    for (const element of ownChildren(metadata, "labels").flatMap((list) => ownChildren(list, "label"))) {
      const name = attributeOf(element, "name")?.trim() ?? "";
      if (name !== "") found.push({ name, value: textContent(element).trim(), element });
    }
  }
  return found;
}

/** The values of all labels by name, in order. */
export function labelValues(object: XmlElement): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...Map.groupBy(labels(object), ({ name }) => name)].map(([name, same]) => [name, same.map(({ value }) => value)]),
  );
}

function ownChildren(parent: XmlElement, local: string): readonly XmlElement[] {
  return parent.children.filter(isElement)
    .filter(({ name }) => name.local === local && name.uri === VIRT_HOOKS_NAMESPACE);
}
