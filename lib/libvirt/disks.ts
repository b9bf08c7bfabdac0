/**
 * The disks of a guest.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descend, deviceElements } from "./elements.ts";
import { pciAddress } from "./pci_address.ts";

/** Where a disk's data is. */
export type DiskSource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "block"; readonly dev: string }
  | { readonly kind: "dir"; readonly dir: string }
  | { readonly kind: "volume"; readonly pool: string; readonly volume: string }
  | {
    readonly kind: "network";
    readonly protocol: string;
    readonly name: string | undefined;
    readonly hosts: DiskHosts;
  }
  | { readonly kind: "nvme"; readonly address: string; readonly managed: boolean }
  | { readonly kind: "vhostuser"; readonly path: string }
  | { readonly kind: "vhostvdpa"; readonly dev: string };

/** The servers of a network disk: `NAME`, `NAME:PORT`, or the path of a socket. */
export type DiskHosts = readonly string[];

/** A disk, `<disk>`. */
export interface DomainDisk {
  /** `@device`: `disk`, `cdrom`, `floppy` or `lun`. */
  readonly device: string;
  /** `undefined`: nothing is in the drive, or its `@type` is none of {@linkcode DiskSource}. */
  readonly source: DiskSource | undefined;
  /** `driver/@type`: the format, `raw` or `qcow2`. */
  readonly format: string | undefined;
  /** `target/@dev`: what the guest is to call it, `vda`. */
  readonly target: string | undefined;
  /** `target/@bus`: `virtio`, `sata`, `scsi`, `xen`. */
  readonly bus: string | undefined;
  readonly readOnly: boolean;
  /** `shareable`: other guests may use it at the same time. */
  readonly shareable: boolean;
  readonly alias: string | undefined;
}

/** `/domain/devices/disk`, in order. Everywhere, but the sizes of disks are nowhere. */
export function domainDisks(domain: XmlElement): readonly DomainDisk[] {
  return deviceElements(domain, "disk").map((disk) => ({
    device: attributeOf(disk, "device") ?? "disk",
    source: readSource(disk),
    format: attributeOf(descend(disk, "driver"), "type"),
    target: attributeOf(descend(disk, "target"), "dev"),
    bus: attributeOf(descend(disk, "target"), "bus"),
    readOnly: descend(disk, "readonly") !== undefined,
    shareable: descend(disk, "shareable") !== undefined,
    alias: attributeOf(descend(disk, "alias"), "name"),
  }));
}

/**
 * `disk/@type` says which attributes of `<source>` count; `nvme` since 6.0.0, `vhostuser` since 7.1.0, `vhostvdpa` since 9.8.0.
 */
function readSource(disk: XmlElement): DiskSource | undefined {
  const source = descend(disk, "source");
  switch (attributeOf(disk, "type") ?? "file") {
    case "file":
      return withText(attributeOf(source, "file"), (file) => ({ kind: "file", file }));
    case "block":
      return withText(attributeOf(source, "dev"), (dev) => ({ kind: "block", dev }));
    case "dir":
      return withText(attributeOf(source, "dir"), (dir) => ({ kind: "dir", dir }));
    case "volume":
      return withText(
        attributeOf(source, "pool"),
        (pool) => withText(attributeOf(source, "volume"), (volume) => ({ kind: "volume", pool, volume })),
      );
    case "network":
      return withText(attributeOf(source, "protocol"), (protocol) => ({
        kind: "network",
        protocol,
        name: attributeOf(source, "name"),
        hosts: childElements(source, "host").flatMap(readHost),
      }));
    case "nvme":
      return withText(pciAddress(descend(source, "address")), (address) => ({
        kind: "nvme",
        address,
        managed: attributeOf(source, "managed") === "yes",
      }));
    case "vhostuser":
      return withText(attributeOf(source, "path"), (path) => ({ kind: "vhostuser", path }));
    case "vhostvdpa":
      return withText(attributeOf(source, "dev"), (dev) => ({ kind: "vhostvdpa", dev }));
    default:
      return undefined;
  }
}

function readHost(host: XmlElement): DiskHosts {
  const name = attributeOf(host, "name");
  const port = attributeOf(host, "port");
  const place = name === undefined ? attributeOf(host, "socket") : port === undefined ? name : `${name}:${port}`;
  return place === undefined ? [] : [place];
}

function withText(
  text: string | undefined,
  make: (text: string) => DiskSource | undefined,
): DiskSource | undefined {
  return text === undefined ? undefined : make(text);
}
