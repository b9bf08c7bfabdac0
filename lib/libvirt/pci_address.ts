/**
 * PCI addresses.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf } from "./elements.ts";
import { parseCNumber } from "./numbers.ts";

/**
 * The address in an `<address domain bus slot function>` as the kernel writes it, `0000:01:00.0`.
 *
 * @returns `undefined` where there is none, and for what is no address on a PCI bus
 */
export function pciAddress(address: XmlElement | undefined): string | undefined {
  // Every part may be missing and is 0 then, but an address without any of these two is none.
  if (attributeOf(address, "bus") === undefined && attributeOf(address, "slot") === undefined) return undefined;
  const part = (name: string, max: number): number | undefined => parseCNumber(attributeOf(address, name) ?? "0", max);
  const domain = part("domain", 0xFFFFFFFF);
  const bus = part("bus", 0xFF);
  const slot = part("slot", 0x1F);
  const fn = part("function", 7);
  if (domain === undefined || bus === undefined || slot === undefined || fn === undefined) return undefined;
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${fn}`;
}

/** An address as people write it, as the kernel writes it: `01:00.0` is `0000:01:00.0`. `undefined` for what is none. */
export function parsePciAddress(text: string): string | undefined {
  const parts = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/.exec(text.toLowerCase());
  if (parts === null) return undefined;
  const [, domain = "0", bus = "", slot = "", fn = ""] = parts;
  return `${hex(Number.parseInt(domain, 16), 4)}:${bus}:${slot}.${fn}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
