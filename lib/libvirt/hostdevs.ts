/**
 * Devices of the host that a guest is given.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { domainDisks } from "./disks.ts";
import { attributeOf, descend, descendText, deviceElements } from "./elements.ts";
import { parseUuid } from "./identifiers.ts";
import { parseCNumber } from "./numbers.ts";
import { pciAddress } from "./pci_address.ts";

/** Which device of the host. */
export type HostdevSource =
  | { readonly kind: "pci"; readonly address: string }
  /** By its place, by what it is, or by both; `vendor` and `product` as `0x1234`. */
  | {
    readonly kind: "usb";
    readonly bus: number | undefined;
    readonly device: number | undefined;
    readonly vendor: string | undefined;
    readonly product: string | undefined;
  }
  | { readonly kind: "mdev"; readonly uuid: string }
  | { readonly kind: "scsi"; readonly adapter: string }
  /** A device of the host for a container: a block or character device, or a network interface. */
  | { readonly kind: "storage" | "misc" | "net"; readonly name: string };

/** A device that a guest is given. */
export interface DomainHostdev {
  /** The element that gives it: `<hostdev>`, or `<interface type='hostdev'>` (since 0.10.0). */
  readonly element: "hostdev" | "interface";
  readonly mode: "subsystem" | "capabilities";
  /** `pci`, `usb`, `scsi`, `scsi_host`, `mdev`; in a container `storage`, `misc`, `net`. */
  readonly type: string | undefined;
  /** Whether libvirt itself takes the device from the host and gives it back; it counts for PCI only. */
  readonly managed: boolean;
  /** `driver/@name`: `vfio`, `kvm`, `xen`. */
  readonly driver: string | undefined;
  /** `undefined` for kinds that are not told here and addresses that are none. */
  readonly source: HostdevSource | undefined;
}

/**
 * `/domain/devices/hostdev`, and `/domain/devices/interface[@type='hostdev']`. Everywhere; but an interface on a network
 * that is a pool of devices (`forward mode='hostdev'`) is one only from start to reconnect.
 */
export function domainHostdevs(domain: XmlElement): readonly DomainHostdev[] {
  const interfaces = deviceElements(domain, "interface").filter((one) => attributeOf(one, "type") === "hostdev");
  return [...deviceElements(domain, "hostdev").map(readHostdev), ...interfaces.map(readHostdevInterface)];
}

/** A PCI device of the host that a guest is given. */
export interface HostPciDevice {
  readonly address: string;
  readonly managed: boolean;
}

/** All PCI devices a guest is given: those of {@linkcode domainHostdevs}, and its NVMe disks (since 6.0.0). Each once. */
export function hostPciDevices(domain: XmlElement): readonly HostPciDevice[] {
  const devices = new Map<string, HostPciDevice>();
  for (const { source, managed } of domainHostdevs(domain)) {
    if (source?.kind === "pci") devices.set(source.address, { address: source.address, managed });
  }
  for (const { source } of domainDisks(domain)) {
    if (source?.kind === "nvme") devices.set(source.address, { address: source.address, managed: source.managed });
  }
  return [...devices.values()];
}

function readHostdev(hostdev: XmlElement): DomainHostdev {
  const mode = attributeOf(hostdev, "mode") === "capabilities" ? "capabilities" : "subsystem";
  const type = attributeOf(hostdev, "type");
  return {
    element: "hostdev",
    mode,
    type,
    managed: attributeOf(hostdev, "managed") === "yes",
    driver: attributeOf(descend(hostdev, "driver"), "name"),
    source: readSource(descend(hostdev, "source"), type),
  };
}

function readHostdevInterface(element: XmlElement): DomainHostdev {
  const source = descend(element, "source");
  const type = attributeOf(descend(source, "address"), "type");
  return {
    element: "interface",
    mode: "subsystem",
    type,
    managed: attributeOf(element, "managed") === "yes",
    driver: attributeOf(descend(element, "driver"), "name"),
    source: readSource(source, type),
  };
}

function readSource(source: XmlElement | undefined, type: string | undefined): HostdevSource | undefined {
  const address = descend(source, "address");
  switch (type) {
    case "pci":
      return withText(pciAddress(address), (pci) => ({ kind: "pci", address: pci }));
    case "usb":
      return readUsb(source);
    case "mdev":
      return withText(parseUuid(attributeOf(address, "uuid")), (uuid) => ({ kind: "mdev", uuid }));
    case "scsi":
      return withText(attributeOf(descend(source, "adapter"), "name"), (adapter) => ({ kind: "scsi", adapter }));
    case "storage":
      return withText(descendText(source, "block"), (name) => ({ kind: "storage", name }));
    case "misc":
      return withText(descendText(source, "char"), (name) => ({ kind: "misc", name }));
    case "net":
      return withText(descendText(source, "interface"), (name) => ({ kind: "net", name }));
    default:
      return undefined;
  }
}

/** libvirt keeps both as `unsigned int` and reads them in base 0 (`virDomainHostdevSubsysUSBDefParseXML`). */
const UINT_MAX = 0xFFFF_FFFF;

function readUsb(source: XmlElement | undefined): HostdevSource | undefined {
  const address = descend(source, "address");
  const bus = parseCNumber(attributeOf(address, "bus"), UINT_MAX);
  const device = parseCNumber(attributeOf(address, "device"), UINT_MAX);
  const vendor = usbId(attributeOf(descend(source, "vendor"), "id"));
  const product = usbId(attributeOf(descend(source, "product"), "id"));
  const known = (bus !== undefined && device !== undefined) || (vendor !== undefined && product !== undefined);
  return known ? { kind: "usb", bus, device, vendor, product } : undefined;
}

function usbId(text: string | undefined): string | undefined {
  const id = parseCNumber(text, 0xFFFF);
  return id === undefined ? undefined : `0x${id.toString(16).padStart(4, "0")}`;
}

function withText(text: string | undefined, make: (text: string) => HostdevSource): HostdevSource | undefined {
  return text === undefined ? undefined : make(text);
}
