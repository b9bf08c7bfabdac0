/**
 * Secrets within a longer text: options of a program, a kernel's command line, a query.
 * @module
 */

import { isSecretName, isSwitch } from "./secret_names.ts";
import type { Stretch } from "./stretches.ts";

interface OptionPattern {
  /** Its group `secret` is what to hide, its group `key`, if it has one, must be a secret's name. */
  readonly pattern: RegExp;
  /** What else the text must hold. */
  readonly where?: RegExp;
}

const PATTERNS: readonly OptionPattern[] = [
  // password=VALUE in options (where a comma is doubled), command lines and queries; quotes hold blanks together.
  {
    pattern:
      /(?:^|[\s,;&?"'{])(?<key>[\w.\/:-]+)=(?:"(?<quoted>[^"]*)"|'(?<single>[^']*)'|(?<secret>(?:[^,\s&;"']|,,)+))/dg,
  },
  // "password": "VALUE" in JSON.
  { pattern: /"(?<key>[^"\\]{1,64})"\s*:\s*"(?<secret>(?:[^"\\]|\\.)+)"/dgs },
  // -object secret,id=ID,data=VALUE, and the same in JSON.
  { pattern: /(?:^|,)data=(?<secret>(?:[^,]|,,)+)/dg, where: /(?:^|,)(?:qom-type=)?secret(?:,|$)/ },
  { pattern: /"data"\s*:\s*"(?<secret>(?:[^"\\]|\\.)+)"/dgs, where: /"qom-type"\s*:\s*"secret"/ },
  // -fw_cfg name=opt/NAME,string=VALUE
  { pattern: /(?:^|,)string=(?<secret>(?:[^,]|,,)+)/dg, where: /^(?:name=)?opt\// },
  // What systemd in the guest takes as credentials, from SMBIOS strings and the kernel's command line.
  { pattern: /io\.systemd\.credential(?:\.binary)?:[^=\s]{1,256}=(?<secret>.+)$/dgs },
  { pattern: /systemd\.set_credential(?:_binary)?=[^:\s]{1,256}:(?<secret>\S+)/dg },
  // scheme://user:PASSWORD@host
  { pattern: /:\/\/[^\/\s:@]*:(?<secret>[^\/\s@]+)@/dg },
];

/** The secrets in a text of options. */
export function secretsInOptions(text: string): readonly Stretch[] {
  return PATTERNS.flatMap(({ pattern, where }) =>
    where === undefined || where.test(text) ? findAll(pattern, text) : []
  );
}

function findAll(pattern: RegExp, text: string): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const match of text.matchAll(pattern)) {
    const { key, quoted, single, secret } = match.groups ?? {};
    const name = quoted !== undefined ? "quoted" : single !== undefined ? "single" : "secret";
    const [start, end] = match.indices?.groups?.[name] ?? [0, 0];
    if (start === end || (key !== undefined && !isSecretName(key))) continue;
    if (key !== undefined && isSwitch(quoted ?? single ?? secret ?? "")) continue;
    found.push({ start, end });
  }
  return found;
}
