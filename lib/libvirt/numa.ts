/**
 * The NUMA cells a guest sees, and the host nodes that their memory comes from.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { parseCpuSet } from "./cpu_set.ts";
import { attributeOf, childElements, descend } from "./elements.ts";
import { cellBytes } from "./memory.ts";
import { parseDecimal } from "./numbers.ts";

/** A NUMA cell of a guest. */
export interface NumaCell {
  readonly id: number;
  /** Its virtual CPUs, by number. */
  readonly vcpus: readonly number[];
  readonly memoryBytes: number | undefined;
}

/** `/domain/cpu/numa/cell`, since 0.9.8; the attribute `unit` since 1.2.11. Everywhere. None: one flat memory. */
export function numaCells(domain: XmlElement): readonly NumaCell[] {
  return childElements(descend(domain, "cpu", "numa"), "cell").map((cell, index) => ({
    id: parseDecimal(attributeOf(cell, "id")) ?? index,
    vcpus: parseCpuSet(attributeOf(cell, "cpus")) ?? [],
    memoryBytes: cellBytes(cell),
  }));
}

/** Where memory comes from. */
export interface NumaBinding {
  /** `strict`, `preferred`, `interleave` or `restrictive`. */
  readonly mode: string;
  readonly hostNodes: readonly number[];
}

/**
 * `/domain/numatune/memnode` of a cell (since 1.2.7), else `/domain/numatune/memory` (since 0.9.3). Everywhere.
 *
 * @param cell the guest's cell, `undefined` for a guest without cells
 * @returns `undefined` when nothing is asked for, or libvirt is to choose the nodes (`placement='auto'`)
 */
export function numaBinding(domain: XmlElement, cell: number | undefined): NumaBinding | undefined {
  const numatune = descend(domain, "numatune");
  // libvirt refuses one of a cell that the guest does not have.
  const hasCell = numaCells(domain).some(({ id }) => id === cell);
  const ofCell = hasCell
    ? childElements(numatune, "memnode").find((memnode) => parseDecimal(attributeOf(memnode, "cellid")) === cell)
    : undefined;
  const element = ofCell ?? descend(numatune, "memory");
  // libvirt drops a nodeset beside it, and refuses memnodes.
  if (attributeOf(descend(numatune, "memory"), "placement") === "auto") return undefined;
  const hostNodes = parseCpuSet(attributeOf(element, "nodeset"));
  if (hostNodes === undefined) return undefined;
  return { mode: attributeOf(element, "mode") ?? "strict", hostNodes };
}
