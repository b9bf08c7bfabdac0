/**
 * The virtual CPUs of a guest, and which CPUs of the host its threads may run on.
 * @module
 */

import { textContent, type XmlElement } from "../xml/tree.ts";
import { parseCpuSet } from "./cpu_set.ts";
import { attributeOf, childElements, descend, descendText } from "./elements.ts";
import { parseDecimal } from "./numbers.ts";

/** How many virtual CPUs a guest has, and where they run unless pinned one by one. */
export interface Vcpus {
  /** The most it can have. */
  readonly count: number;
  /** What it has now. */
  readonly current: number;
  /** `auto`: libvirt asks numad for the CPUs. */
  readonly placement: "static" | "auto";
  /** The host's CPUs for whatever is not pinned otherwise, the emulator too; `undefined` for all of them. */
  readonly hostCpus: readonly number[] | undefined;
}

/**
 * `/domain/vcpu`, `@current` and `@cpuset` (since 0.4.4), `@placement` (since 0.9.11). Everywhere; without the element
 * the guest has one.
 *
 * @returns `undefined` when the element says no number
 */
export function domainVcpus(domain: XmlElement): Vcpus | undefined {
  const vcpu = descend(domain, "vcpu");
  const count = vcpu === undefined ? 1 : parseDecimal(textContent(vcpu));
  if (count === undefined) return undefined;
  const placement = attributeOf(vcpu, "placement") === "auto" ? "auto" : "static";
  return {
    count,
    current: parseDecimal(attributeOf(vcpu, "current")) ?? count,
    placement,
    hostCpus: placement === "auto" ? undefined : parseCpuSet(attributeOf(vcpu, "cpuset")),
  };
}

/** A thread of a guest and the host's CPUs it may run on. */
export interface CpuPin {
  /** The number of the virtual CPU, or of the I/O thread. */
  readonly id: number;
  readonly hostCpus: readonly number[];
}

/** `/domain/cputune/vcpupin`: the virtual CPUs that are pinned, since 0.9.0. Everywhere. */
export function vcpuPins(domain: XmlElement): readonly CpuPin[] {
  return readPins(childElements(descend(domain, "cputune"), "vcpupin"), "vcpu");
}

/** `/domain/cputune/emulatorpin`: the host's CPUs for what of the guest is no virtual CPU. Everywhere. */
export function emulatorCpus(domain: XmlElement): readonly number[] | undefined {
  return parseCpuSet(attributeOf(descend(domain, "cputune", "emulatorpin"), "cpuset"));
}

/** `/domain/cputune/iothreadpin`: the I/O threads that are pinned, since 1.2.9. Everywhere; qemu only. */
export function iothreadPins(domain: XmlElement): readonly CpuPin[] {
  return readPins(childElements(descend(domain, "cputune"), "iothreadpin"), "iothread");
}

/**
 * The CPUs of the host that the guest's work is pinned to, in ascending order: its virtual CPUs', each by `vcpupin` or all
 * that have none by `vcpu/@cpuset`, and its I/O threads'. What of the guest is neither (the emulator) is housekeeping and
 * does not count. Everywhere; empty for a guest that is pinned nowhere.
 */
export function pinnedHostCpus(domain: XmlElement): readonly number[] {
  const pins = vcpuPins(domain);
  const vcpus = domainVcpus(domain);
  const others = vcpus !== undefined && pins.length < vcpus.count ? vcpus.hostCpus ?? [] : [];
  const all = [...pins, ...iothreadPins(domain)].flatMap((pin) => pin.hostCpus);
  return [...new Set([...all, ...others])].sort((a, b) => a - b);
}

/** `/domain/iothreads`: how many I/O threads the guest has, since 1.2.8. Everywhere; qemu only. */
export function iothreadCount(domain: XmlElement): number {
  return parseDecimal(descendText(domain, "iothreads")) ?? 0;
}

function readPins(elements: readonly XmlElement[], idAttribute: string): readonly CpuPin[] {
  const pins: CpuPin[] = [];
  for (const element of elements) {
    const id = parseDecimal(attributeOf(element, idAttribute));
    const hostCpus = parseCpuSet(attributeOf(element, "cpuset"));
    if (id !== undefined && hostCpus !== undefined) pins.push({ id, hostCpus });
  }
  return pins;
}
