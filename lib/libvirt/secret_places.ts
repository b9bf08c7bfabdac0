/**
 * Where secrets stand in documents of libvirt: the table that redaction works from.
 *
 * Without `VIR_DOMAIN_DEF_FORMAT_SECURE` libvirt itself leaves out two of them, `graphics/@passwd` and `cookie`, so these
 * are in documents at migrate and restore only. The others it does not know as secrets: they are there at all operations.
 * What only names a secret that libvirt keeps (`<auth><secret uuid/>`, `<encryption secret>`) is none.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf } from "./elements.ts";
import { libvirtNamespaces } from "./namespaces.ts";
import { isSecretName, isSwitch } from "./secret_names.ts";
import { secretsInOptions } from "./secret_options.ts";
import type { Stretch } from "./stretches.ts";

/** Secrets in the elements for which `holds` says so. */
export interface SecretPlace {
  readonly name: string;
  /** Only below `<metadata>`. */
  readonly inMetadata?: true;
  /** Where in the element: its text with that of the elements in it, or those of its attributes. */
  readonly at: "text" | { readonly attributes: (name: string) => boolean };
  readonly holds: (element: XmlElement) => boolean;
  /** What in the value is secret. */
  readonly find: (value: string) => readonly Stretch[];
}

const PASSWORD = /^(?:passwd|password|passphrase)$/i;
const VALUE = /^(?:value|content|data)$/i;
const COMMAND_LINES: readonly (string | undefined)[] = [
  libvirtNamespaces.qemu,
  libvirtNamespaces.xen,
  libvirtNamespaces.bhyve,
];

/** All places, most of them known by the element's name alone. */
export const secretPlaces: readonly SecretPlace[] = [
  // VNC and SPICE, in clear text; other elements have none, but a newer libvirt may put some there.
  { name: "@passwd", at: named(PASSWORD), holds: () => true, find: whole },
  // Disks over HTTP, since 6.2.0.
  { name: "cookies/cookie", at: "text", holds: (e) => is(e, "cookie") && isIn(e, "cookies"), find: unquoted },
  { name: "source/@query", at: named(/^query$/), holds: (e) => is(e, "source"), find: secretsInOptions },
  // Only references stand there today.
  { name: "secret", at: "text", holds: (e) => is(e, "secret"), find: whole },
  { name: "auth", at: "text", holds: (e) => is(e, "auth"), find: whole },
  { name: "password", at: "text", holds: (e) => PASSWORD.test(e.name.local), find: whole },
  // What a program is started with.
  { name: "commandline/env", at: named(VALUE), holds: (e) => isCommandLine(e, "env") && isNamedSecret(e), find: whole },
  { name: "commandline/arg", at: named(VALUE), holds: (e) => isCommandLine(e, "arg"), find: secretsInOptions },
  { name: "os/initenv", at: "text", holds: (e) => is(e, "initenv") && isNamedSecret(e), find: whole },
  { name: "os/initarg", at: "text", holds: (e) => is(e, "initarg"), find: secretsInOptions },
  { name: "os/cmdline", at: "text", holds: (e) => is(e, "cmdline"), find: secretsInOptions },
  { name: "bootloader_args", at: "text", holds: (e) => is(e, "bootloader_args"), find: secretsInOptions },
  // What the guest reads from its firmware: provisioning data (since 6.5.0), credentials (since 4.1.0).
  { name: "sysinfo[fwcfg]/entry", at: "text", holds: (e) => is(e, "entry") && isIn(e, "sysinfo"), find: whole },
  {
    name: "oemStrings/entry",
    at: "text",
    holds: (e) => is(e, "entry") && isIn(e, "oemStrings"),
    find: secretsInOptions,
  },
  // Whatever others keep in the guest's metadata, by its name.
  {
    name: "metadata//@NAME",
    inMetadata: true,
    at: { attributes: isSecretName },
    holds: () => true,
    find: unlessSwitch,
  },
  {
    name: "metadata//NAME",
    inMetadata: true,
    at: "text",
    holds: (e) => isSecretName(e.name.local),
    find: unlessSwitch,
  },
  { name: "metadata//*[@name]", inMetadata: true, at: "text", holds: isNamedSecret, find: unlessSwitch },
  { name: "metadata//*[@name]/@value", inMetadata: true, at: named(VALUE), holds: isNamedSecret, find: unlessSwitch },
];

/** A word of every place and every telling name; a character reference may hide one. */
const TRACES =
  /pass(?!through)|secret|token|credential|pw|pwd|psk|(?:api|auth|access|encryption|private|shared)[-_.]?key|cookie|query|auth|\barg\b|\benv\b|initarg|initenv|cmdline|bootloader_args|entry|&#/i;

/** Whether a look at a document's text cannot rule out that it holds a secret: much cheaper than looking at its tree. */
export function mayHoldSecrets(text: string): boolean {
  return TRACES.test(text);
}

function named(name: RegExp): SecretPlace["at"] {
  return { attributes: (local) => name.test(local) };
}

function is(element: XmlElement, local: string): boolean {
  return element.name.local === local;
}

function isIn(element: XmlElement, local: string): boolean {
  return element.parent !== null && is(element.parent, local);
}

function isCommandLine(element: XmlElement, local: string): boolean {
  return is(element, local) && isIn(element, "commandline") && COMMAND_LINES.includes(element.name.uri);
}

function isNamedSecret(element: XmlElement): boolean {
  return isSecretName(attributeOf(element, "name") ?? attributeOf(element, "key") ?? "");
}

/** All of a value but the white space around it. */
function whole(value: string): readonly Stretch[] {
  const start = value.length - value.trimStart().length;
  const end = value.trimEnd().length;
  return start < end ? [{ start, end }] : [];
}

function unlessSwitch(value: string): readonly Stretch[] {
  return isSwitch(value) ? [] : whole(value);
}

/** A cookie's quotes are no part of what is secret: other text may show it without them. */
function unquoted(value: string): readonly Stretch[] {
  return whole(value).map(({ start, end }) =>
    end - start > 2 && value[start] === '"' && value[end - 1] === '"'
      ? { start: start + 1, end: end - 1 }
      : { start, end }
  );
}
