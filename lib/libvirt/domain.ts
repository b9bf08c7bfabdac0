/**
 * A guest, as its `<domain>` says: what it is and is called. Its devices, memory and CPUs have files of their own.
 *
 * All views are functions of the element, compute nothing before they are called and never throw: what is missing in a
 * phase, and what libvirt itself would not take, is `undefined` or not in the list. "Everywhere" means all operations
 * of the drivers qemu, lxc and libxl.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descendText } from "./elements.ts";
import { parseUuid } from "./identifiers.ts";
import { parseDecimal } from "./numbers.ts";

/** `/domain/name`. Everywhere. */
export function domainName(domain: XmlElement): string | undefined {
  return descendText(domain, "name");
}

/** `/domain/uuid`, in lower case with hyphens. Everywhere, but XML given to `virsh restore --xml` may lack it. */
export function domainUuid(domain: XmlElement): string | undefined {
  return parseUuid(descendText(domain, "uuid"));
}

/** `/domain/title`, since 0.9.10. Everywhere, if the guest has one. */
export function domainTitle(domain: XmlElement): string | undefined {
  return descendText(domain, "title");
}

/** `/domain/description`, since 0.7.2. Everywhere, if the guest has one. */
export function domainDescription(domain: XmlElement): string | undefined {
  return descendText(domain, "description");
}

/** `/domain/@type`: `kvm`, `qemu`, `lxc`, `xen` and others. Everywhere. */
export function domainType(domain: XmlElement): string | undefined {
  return attributeOf(domain, "type");
}

/**
 * `/domain/@id`, the number of this run. qemu: from prepare to reconnect, not at stopped, release, migrate, restore.
 * lxc: at started, reconnect and stopped.
 */
export function domainId(domain: XmlElement): number | undefined {
  return parseDecimal(attributeOf(domain, "id"));
}

/** How a guest is confined by one security driver. */
export interface DomainSeclabel {
  /** `dynamic`, `static` or `none`. */
  readonly type: string | undefined;
  /** `selinux`, `apparmor` or `dac`. */
  readonly model: string | undefined;
  /** Whether libvirt relabels the guest's files; `undefined` leaves it to the type. */
  readonly relabel: boolean | undefined;
  readonly label: string | undefined;
  readonly baseLabel: string | undefined;
  readonly imageLabel: string | undefined;
}

/**
 * `/domain/seclabel`, one for each security driver; `dynamic` since 0.6.1, `static` since 0.6.2, `none` since 0.9.10.
 *
 * Dynamic ones: qemu at start, started, reconnect and stopped, without labels at release, not at prepare, migrate and
 * restore. What the guest's configuration says itself is there everywhere.
 */
export function domainSeclabels(domain: XmlElement): readonly DomainSeclabel[] {
  return childElements(domain, "seclabel").map((seclabel) => ({
    type: attributeOf(seclabel, "type"),
    model: attributeOf(seclabel, "model"),
    relabel: parseYesNo(attributeOf(seclabel, "relabel")),
    label: descendText(seclabel, "label"),
    baseLabel: descendText(seclabel, "baselabel"),
    imageLabel: descendText(seclabel, "imagelabel"),
  }));
}

/** `/domain/devices/emulator`: the program that runs the guest. Everywhere. */
export function domainEmulator(domain: XmlElement): string | undefined {
  return descendText(domain, "devices", "emulator");
}

function parseYesNo(text: string | undefined): boolean | undefined {
  return text === "yes" ? true : text === "no" ? false : undefined;
}
