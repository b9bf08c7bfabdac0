/**
 * Secrets within a longer text: options of a program, a kernel's command line, a query, a configuration.
 * @module
 */

import { isQemuReference, isSecretName, isSwitch } from "./secret_names.ts";
import { secretsInBlocks } from "./secret_blocks.ts";
import type { Stretch } from "./stretches.ts";

interface OptionPattern {
  /** Its group `secret` is what to hide, its group `key`, if it has one, must be a secret's name. */
  readonly pattern: RegExp;
  /** What else the text must hold. */
  readonly where?: RegExp;
  /** Whether what `key` names is a secret; by its name alone where it is left out. */
  readonly isSecret?: (key: string, value: string) => boolean;
}

const OPTIONS: readonly OptionPattern[] = [
  // password=VALUE in options (where a comma is doubled), command lines and queries; quotes hold blanks together.
  {
    pattern:
      /(?:^|[\s,;&?"'{])(?<key>[\w.\/:-]+)=(?:"(?<quoted>[^"]*)"|'(?<single>[^']*)'|(?<secret>(?:[^,\s&;"']|,,)+))/dg,
  },
  // "password": "VALUE" in JSON.
  {
    pattern: /"(?<key>[^"\\]{1,64})"\s*:\s*"(?<secret>(?:[^"\\]|\\.)+)"/dgs,
    isSecret: (key, value) => isSecretOption(key, value) || /(?:^|\.)cookie$/.test(key),
  },
  // -object secret,id=ID,data=VALUE, and the same in JSON.
  { pattern: /(?:^|,)data=(?<secret>(?:[^,]|,,)+)/dg, where: /(?:^|,)(?:qom-type=)?secret(?:,|$)/ },
  { pattern: /"data"\s*:\s*"(?<secret>(?:[^"\\]|\\.)+)"/dgs, where: /"qom-type"\s*:\s*"secret"/ },
  // -fw_cfg [name=]NAME,string=VALUE, in any order.
  { pattern: /(?:^|,)string=(?<secret>(?:[^,]|,,)+)/dg, where: /(?:^|,)name=|^[^=,]*\/[^=,\/]*,/ },
  // file.cookie=VALUE of a disk over HTTP; it has blanks and semicolons in it.
  { pattern: /(?:^|[,.])cookie=(?<secret>(?:[^,]|,,)+)/dg },
  // rbd:POOL/IMAGE:id=USER:key=VALUE
  { pattern: /:key=(?<secret>(?:[^:,\s"'\\]|\\.)+)/dg, where: /rbd:/ },
  // What systemd in the guest takes as credentials, from SMBIOS strings and the kernel's command line.
  { pattern: /io\.systemd\.credential(?:\.binary)?:[^=\s]{1,256}=(?<secret>.+)$/dgs },
  { pattern: /systemd\.set_credential(?:_binary)?=[^:\s]{1,256}:(?<secret>\S+)/dg },
  // scheme://user:PASSWORD@host; libiscsi writes user%PASSWORD, dracut's netroot= iscsi:user:PASSWORD@host.
  { pattern: /:\/\/[^\/\s:@]*:(?<secret>[^\/\s@]+)@/dg },
  { pattern: /\bis(?:csi|er):\/\/[^\/\s:@%]*%(?<secret>[^\/\s@]+)@/dg },
  { pattern: /\biscsi:[^\/\s:@]*:(?<secret>[^\/\s@]+)@/dg },
  // A private key in PEM on one line, as JSON has it.
  { pattern: /-----BEGIN [A-Z\d ]{0,32}PRIVATE KEY-----(?<secret>(?:(?!-----)[^\n])+)/dg },
  // The signature of a URL that is signed.
  { pattern: /[?&](?<key>[\w.-]{1,64})=(?<secret>[^&#\s,;"']+)/dg, isSecret: isQueryKey },
];

const QUERY: readonly OptionPattern[] = [
  { pattern: /(?:^|[?&])(?<key>[\w.-]{1,64})=(?<secret>[^&#\s]+)/dg, isSecret: isQueryKey },
];

/** `password: VALUE` to the end of the line, in YAML or in a note; not where only a list or block begins. */
const LINES: readonly OptionPattern[] = [
  {
    // Only keys that can be a secret's name, so that a line with others is not searched again and again.
    pattern:
      /(?<![\w.:\/-])["']?(?=[\w.-]{0,60}(?:pass|pw|psk|secret|token|credential|(?:api|auth|access|encryption|private|shared)[-_.]?key))(?<key>[\w.-]{1,64})["']?[ \t]{0,16}:[ \t]{1,16}(?![{\[|>][}\]-]?[ \t]*$)(?<secret>\S+(?:[ \t]+\S+)*)/dgim,
  },
];

/** The secrets in a text of options. */
export function secretsInOptions(text: string): readonly Stretch[] {
  return secretsBy(OPTIONS, text);
}

/** The secrets in the query of a URL. */
export function secretsInQuery(text: string): readonly Stretch[] {
  return secretsBy([...OPTIONS, ...QUERY], text);
}

/** The secrets in a text of whatever kind. */
export function secretsInNotes(text: string): readonly Stretch[] {
  return [...secretsBy([...OPTIONS, ...LINES], text), ...secretsInBlocks(text)];
}

function secretsBy(patterns: readonly OptionPattern[], text: string): readonly Stretch[] {
  return patterns.flatMap((row) => row.where === undefined || row.where.test(text) ? findAll(row, text) : []);
}

function isSecretOption(key: string, value: string): boolean {
  return isSecretName(key) && !isQemuReference(key, value);
}

/** Names by which Amazon, Google, Azure and others sign URLs, beside those that tell a secret anywhere. */
function isQueryKey(key: string): boolean {
  return isSecretName(key) || /(?:^|[-_.])(?:signature|sig|sign|hmac|key|auth)$/i.test(key);
}

function findAll({ pattern, isSecret = isSecretOption }: OptionPattern, text: string): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const match of text.matchAll(pattern)) {
    const { key, quoted, single, secret } = match.groups ?? {};
    const name = quoted !== undefined ? "quoted" : single !== undefined ? "single" : "secret";
    const [start, end] = match.indices?.groups?.[name] ?? [0, 0];
    const value = quoted ?? single ?? secret ?? "";
    if (start === end || (key !== undefined && (!isSecret(key, value) || isSwitch(value)))) continue;
    found.push({ start, end });
  }
  return found;
}
