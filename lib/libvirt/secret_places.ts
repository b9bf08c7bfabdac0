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
import { isQemuReference, isSecretName, isSwitch } from "./secret_names.ts";
import { secretsInNotes, secretsInOptions, secretsInQuery } from "./secret_options.ts";
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
const VALUE = /^(?:value|val|content|data)$/i;
const KEY = /^(?:key|name|id)$/i;
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
  { name: "source/@query", at: named(/^query$/), holds: (e) => is(e, "source"), find: secretsInQuery },
  // Only references stand there today.
  { name: "secret", at: "text", holds: (e) => is(e, "secret"), find: whole },
  { name: "auth", at: "text", holds: (e) => is(e, "auth"), find: whole },
  { name: "password", at: "text", holds: (e) => PASSWORD.test(e.name.local), find: whole },
  // What a program is started with.
  { name: "commandline/env", at: named(VALUE), holds: (e) => isCommandLine(e, "env") && isNamedSecret(e), find: whole },
  { name: "commandline/env[URL]", at: named(VALUE), holds: (e) => isCommandLine(e, "env"), find: secretsInOptions },
  { name: "commandline/arg", at: named(VALUE), holds: (e) => isCommandLine(e, "arg"), find: secretsInOptions },
  {
    name: "commandline/arg[--NAME]",
    at: named(VALUE),
    holds: (e) => isCommandLine(e, "arg") && isAfterOption(e, (before) => attributeOf(before, "value") ?? ""),
    find: unlessOption,
  },
  {
    name: "override//property",
    at: named(VALUE),
    holds: (e) => is(e, "property") && e.name.uri === libvirtNamespaces.qemu && isSecretProperty(e),
    find: unlessSwitch,
  },
  { name: "os/initenv", at: "text", holds: (e) => is(e, "initenv") && isNamedSecret(e), find: whole },
  { name: "os/initenv[URL]", at: "text", holds: (e) => is(e, "initenv"), find: secretsInOptions },
  { name: "os/initarg", at: "text", holds: (e) => is(e, "initarg"), find: secretsInOptions },
  {
    name: "os/initarg[--NAME]",
    at: "text",
    holds: (e) => is(e, "initarg") && isAfterOption(e, textOf),
    find: unlessOption,
  },
  { name: "os/cmdline", at: "text", holds: (e) => is(e, "cmdline"), find: secretsInOptions },
  { name: "bootloader_args", at: "text", holds: (e) => is(e, "bootloader_args"), find: secretsInOptions },
  // What the guest reads from its firmware: provisioning data (since 6.5.0), credentials (since 4.1.0).
  { name: "sysinfo[fwcfg]/entry", at: "text", holds: (e) => is(e, "entry") && isIn(e, "sysinfo"), find: whole },
  {
    name: "sysinfo[smbios]//entry",
    at: "text",
    holds: (e) => is(e, "entry") && e.parent !== null && isIn(e.parent, "sysinfo"),
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
  {
    name: "metadata//NAME/@value",
    inMetadata: true,
    at: named(VALUE),
    holds: (e) => isSecretName(e.name.local),
    find: unlessSwitch,
  },
  { name: "metadata//key+value", inMetadata: true, at: "text", holds: isAfterKey, find: unlessSwitch },
  { name: "metadata//@*", inMetadata: true, at: { attributes: () => true }, holds: () => true, find: secretsInOptions },
  // Its text with that of all elements in it, so that no text is searched for each element around it.
  {
    name: "metadata//text()",
    at: "text",
    holds: (e) => is(e, "metadata") && e.parent?.parent === null,
    find: secretsInNotes,
  },
  { name: "metadata//*[@name]", inMetadata: true, at: "text", holds: isNamedSecret, find: unlessSwitch },
  { name: "metadata//*[@name]/@value", inMetadata: true, at: named(VALUE), holds: isNamedSecret, find: unlessSwitch },
];

/** The secrets in a comment or a processing instruction. */
export const secretsInComment: SecretPlace["find"] = secretsInNotes;

/** A word of every place and every telling name; a character reference may hide one. */
const TRACES =
  /pass(?!through)|:\/\/[^\/\s"'<]*@|iscsi:|signature|[?;&]sig|systemd|secret|token|credential|pw|pwd|psk|(?:api|auth|access|encryption|private|shared)[-_. ]?key|cookie|query|auth|\barg\b|\benv\b|initarg|initenv|cmdline|bootloader_args|entry|&#/i;

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
  return ["name", "key", "id"].some((name) => isSecretName(attributeOf(element, name) ?? ""));
}

function isSecretProperty(element: XmlElement): boolean {
  const name = attributeOf(element, "name") ?? "";
  return isSecretName(name) && !isQemuReference(name, attributeOf(element, "value") ?? "");
}

/** `<key>password</key><value>…`. */
function isAfterKey(element: XmlElement): boolean {
  const before = elementBefore(element);
  return before !== undefined && KEY.test(before.name.local) && isSecretName(textOf(before));
}

/** What follows `--password` as an argument of its own. */
function isAfterOption(element: XmlElement, valueOf: (element: XmlElement) => string): boolean {
  const before = elementBefore(element);
  if (before?.name.local !== element.name.local) return false;
  const name = /^--?([\w.-]{1,64})$/.exec(valueOf(before).trim())?.[1] ?? "";
  return isSecretName(name) && !isQemuReference(name, "id");
}

function elementBefore(element: XmlElement): XmlElement | undefined {
  const siblings = element.parent?.children ?? [];
  for (let index = siblings.indexOf(element) - 1; index >= 0; index--) {
    const sibling = siblings[index];
    if (sibling?.type === "element") return sibling;
  }
  return undefined;
}

function textOf({ children }: XmlElement): string {
  return children.map((child) => child.type === "text" || child.type === "cdata" ? child.text : "").join("").trim();
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

/** What follows an option may be the next one. */
function unlessOption(value: string): readonly Stretch[] {
  return value.trimStart().startsWith("-") ? [] : unlessSwitch(value);
}

/** A cookie's quotes are no part of what is secret: other text may show it without them. */
function unquoted(value: string): readonly Stretch[] {
  return whole(value).map(({ start, end }) =>
    end - start > 2 && value[start] === '"' && value[end - 1] === '"'
      ? { start: start + 1, end: end - 1 }
      : { start, end }
  );
}
