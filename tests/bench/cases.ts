/**
 * What is compared: for each case the rules of the hook, and scripts in bash and Python that do the comparable thing the
 * usual way. All read the guest's XML and leave a line in a log.
 * @module
 */
import type { Placed } from "../support/private_root.ts";

/** One case. */
export interface Case {
  readonly name: string;
  /** What the hook may cost, as a ratio to the empty program. */
  readonly goal: number | undefined;
  /** What every contender but the empty programs ends with. */
  readonly exitCode: number;
  /** `/etc/virt-hooks/rules.toml`; without it, no rules. */
  readonly rules: string | undefined;
  readonly bash: string;
  readonly python: string;
}

const RULE_COUNT = 20;
const PROGRAM = "/usr/local/sbin/check";
/** Where the Python script keeps its rules. */
export const JSON_RULES_PATH = "/bench/rules.json";

const BASH_HEAD = `#!/bin/bash
IFS= read -r -d '' document
printf '%(%FT%TZ)T qemu %s %s\\n' -1 "$1" "$2" >>/var/log/bench-bash.log
`;
const PYTHON_HEAD = `#!/usr/bin/python3
import datetime, fnmatch, json, subprocess, sys
document = sys.stdin.buffer.read()
guest, operation = sys.argv[1:3]
with open("/var/log/bench-python.log", "a") as log:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    log.write(json.dumps({"datetime": now, "object": guest, "operation": operation}) + "\\n")
`;

/** The three cases. The call is always \`web-1 prepare begin -\`. */
export const CASES: readonly Case[] = [
  { name: "no rules file", goal: 1.05, exitCode: 0, rules: undefined, bash: BASH_HEAD, python: PYTHON_HEAD },
  {
    name: `${RULE_COUNT} rules that do not match`,
    goal: 1.15,
    exitCode: 0,
    rules: each((number) =>
      `[[rule]]\nname = "check ${number}"\nwhen = { on = "prepare", domain = "guest-${number}-*" }\n` +
      `run = { argv = ["${PROGRAM}", "\${domain}"], timeout = "5s" }\n`
    ),
    bash: BASH_HEAD +
      each((number) => `if [[ $1 == guest-${number}-* && $2 == prepare ]]; then ${PROGRAM} "$1"; fi\n`) +
      "exit 0\n",
    python: PYTHON_HEAD + `with open("${JSON_RULES_PATH}") as file:
    for rule in json.load(file):
        if operation == rule["on"] and fnmatch.fnmatchcase(guest, rule["domain"]):
            subprocess.run([argument.replace("\${domain}", guest) for argument in rule["run"]], check=True, timeout=5)
`,
  },
  {
    name: "one deny",
    goal: undefined,
    exitCode: 1,
    rules:
      `[[rule]]\nname = "maintenance"\nwhen = { on = "prepare", domain = "web-*" }\ndeny = "\${host} is in maintenance"\n`,
    bash: BASH_HEAD +
      `if [[ $1 == web-* && $2 == prepare ]]; then echo "$HOSTNAME is in maintenance" >&2; exit 1; fi\n`,
    python: PYTHON_HEAD +
      `import socket\nif operation == "prepare" and fnmatch.fnmatchcase(guest, "web-*"):\n` +
      `    sys.exit(socket.gethostname() + " is in maintenance")\n`,
  },
];

/** What stands in the private root while a case is measured. */
export function caseFiles({ rules, bash, python }: Case): readonly Placed[] {
  const jsonRules = Array.from({ length: RULE_COUNT }, (_, index) => ({
    on: "prepare",
    domain: `guest-${numbered(index)}-*`,
    run: [PROGRAM, "\${domain}"],
  }));
  return [
    ...(rules === undefined ? [] : [
      { kind: "file", path: "/etc/virt-hooks/rules.toml", mode: "0644", content: rules } as const,
    ]),
    { kind: "file", path: JSON_RULES_PATH, mode: "0644", content: JSON.stringify(jsonRules, null, 2) },
    { kind: "file", path: "/bench/hook.bash", mode: "0755", content: bash },
    { kind: "file", path: "/bench/hook.py", mode: "0755", content: python },
  ];
}

function each(text: (number: string) => string): string {
  return Array.from({ length: RULE_COUNT }, (_, index) => text(numbered(index))).join("");
}

function numbered(index: number): string {
  return String(index + 1).padStart(2, "0");
}
