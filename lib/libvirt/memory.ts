/**
 * How much memory a guest has, and the units that sizes are written in.
 * @module
 */

import { textContent, type XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descend, deviceElements } from "./elements.ts";
import { parseDecimal } from "./numbers.ts";

const POWERS = "kmgtpe";
const KIB = 1024;

/**
 * A size in bytes. Units are libvirt's: `b`, `byte`, `bytes`; `KB`, `MB` to `EB` count by 1000; `k`, `K`, `KiB` to `EiB`
 * by 1024; case does not matter, and no unit is KiB.
 *
 * @returns `undefined` for what is no size, and from 2^53 bytes on: no guest has 8 PiB, and its size would not be exact
 */
export function scaledBytes(text: string | undefined, unit: string | undefined): number | undefined {
  const value = parseDecimal(text);
  const factor = unitBytes(unit);
  if (value === undefined || factor === undefined) return undefined;
  const bytes = value * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The size that an element says as `<NAME unit='KiB'>1024</NAME>`. */
export function elementBytes(element: XmlElement | undefined): number | undefined {
  return element === undefined ? undefined : scaledBytes(textContent(element), attributeOf(element, "unit"));
}

/**
 * `/domain/memory`: the most the guest can have, memory modules included; whole KiB, rounded up as libvirt does. The
 * attribute `unit` since 0.9.11. Everywhere. Without it, or with 0, the guest has the memory of its cells and modules, as libvirt
 * writes it once it has read the document (`virDomainDefPostParseMemory`).
 */
export function memoryBytes(domain: XmlElement): number | undefined {
  const element = descend(domain, "memory");
  const bytes = wholeKib(elementBytes(element));
  return (element === undefined || bytes === 0) ? cellsAndModules(domain) : bytes;
}

function cellsAndModules(domain: XmlElement): number | undefined {
  const cells = childElements(descend(domain, "cpu", "numa"), "cell").map(cellBytes);
  if (cells.length === 0) return undefined;
  const sizes = [...cells, ...memoryModules(domain).map(({ sizeBytes }) => sizeBytes)];
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? Number.NaN), 0);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** `/domain/cpu/numa/cell/@memory`; whole KiB. */
export function cellBytes(cell: XmlElement): number | undefined {
  return wholeKib(scaledBytes(attributeOf(cell, "memory"), attributeOf(cell, "unit")));
}

/**
 * `/domain/currentMemory`: what the guest has now, by its balloon; without one, and for 0, all of it, and never more.
 * Everywhere.
 */
export function currentMemoryBytes(domain: XmlElement): number | undefined {
  const element = descend(domain, "currentMemory");
  const all = memoryBytes(domain);
  if (element === undefined) return all;
  const current = wholeKib(elementBytes(element));
  return current === 0 ? all : current === undefined || all === undefined ? current : Math.min(current, all);
}

/** A memory module, `/domain/devices/memory`. */
export interface MemoryModule {
  /** `dimm`, `nvdimm`, `virtio-mem`, `virtio-pmem`, `sgx-epc`. */
  readonly model: string | undefined;
  readonly sizeBytes: number | undefined;
  /** The guest's NUMA cell it belongs to. */
  readonly cell: number | undefined;
  /** The element, for what only some models have. */
  readonly element: XmlElement;
}

/** `/domain/devices/memory`: memory modules, since 1.2.14. Everywhere. */
export function memoryModules(domain: XmlElement): readonly MemoryModule[] {
  return deviceElements(domain, "memory").map((element) => {
    const node = descend(element, "target", "node");
    return {
      model: attributeOf(element, "model"),
      sizeBytes: wholeKib(elementBytes(descend(element, "target", "size"))),
      cell: node === undefined ? undefined : parseDecimal(textContent(node)),
      element,
    };
  });
}

/** Rounds up to whole KiB: libvirt counts in nothing smaller. */
export function wholeKib(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.ceil(bytes / KIB) * KIB;
}

function unitBytes(unit: string | undefined): number | undefined {
  const name = unit?.toLowerCase() ?? "";
  if (name === "") return KIB;
  if (name === "b" || name === "byte" || name === "bytes") return 1;
  const match = /^([kmgtpe])(b|ib)?$/.exec(name);
  if (match === null) return undefined;
  const [, prefix = "", suffix] = match;
  return (suffix === "b" ? 1000 : KIB) ** (POWERS.indexOf(prefix) + 1);
}
