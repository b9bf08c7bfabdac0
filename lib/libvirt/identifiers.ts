/**
 * Identifiers in one form each, however a person wrote them. libvirt itself writes this form; the XML that a user
 * gives to `virsh restore --xml` comes as that person wrote it.
 * @module
 */

/** A UUID in lower case with its four hyphens; `undefined` for what libvirt would not take. */
export function parseUuid(text: string | undefined): string | undefined {
  const pairs = /^(?:[- ]*[0-9a-f]{2}){16}$/.exec(text?.trim().toLowerCase() ?? "");
  if (pairs === null) return undefined;
  return pairs[0].replace(/[- ]/g, "").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A MAC address in lower case with two digits a byte; `undefined` for what libvirt would not take. */
export function parseMac(text: string | undefined): string | undefined {
  const mac = text?.trim().toLowerCase() ?? "";
  if (!/^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/.test(mac)) return undefined;
  return mac.split(":").map((byte) => byte.padStart(2, "0")).join(":");
}
