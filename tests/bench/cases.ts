/**
 * What is compared: for each case the rules of the hook, and scripts in bash and Python that do the comparable thing the
 * usual way. All read the guest's XML and leave a line in a log.
 * @module
 */
import type { Placed } from "../../lib/story/private_root.ts";

/** One case. */
export interface Case {
  readonly name: string;
  /** What the hook may cost, as a ratio to what it is compared with. */
  readonly goal: number | undefined;
  /** What every contender but the empty programs ends with. */
  readonly exitCode: number;
  readonly operation: "prepare" | "migrate" | "started";
  /** How many disks the guest has beside those of `guest.xml`: some 400 bytes each. */
  readonly moreDisks: number;
  /** `/etc/virt-hooks/rules.toml`; without it, no rules. */
  readonly rules: string | undefined;
  readonly bash: string;
  readonly python: string;
  /** Set where what is measured is undone behind each call, by this operation. */
  readonly undo?: "release" | "stopped";
  /** How many guests are begun at once; one unless said. */
  readonly atOnce?: number;
  /** What ratios and the goal are about, where it is not the empty program: then Python is left out. */
  readonly comparedWith?: "bash";
  /** Of the rounds of other cases, one in so many; each unless said. */
  readonly roundShare?: number;
  /** Lines of POSIX sh that make the host before the case is measured, and clear away behind it. */
  readonly setUp?: string;
  readonly takeDown?: string;
  /** More files that must be there. */
  readonly files?: Readonly<Record<string, string>>;
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

const AT_START = { operation: "prepare", moreDisks: 0 } as const;

/** A guest chosen by its document, and one path in it changed. */
const REWRITE = {
  exitCode: 0,
  operation: "migrate",
  rules: `[[rule]]
name = "images"
when = { on = "migrate", xml = "/domain/devices/interface[@type='network']" }
edit = { path = "/domain/devices/disk/source/@file", replace = "/images/", with = "/fast/" }
`,
  bash: BASH_HEAD +
    `[[ $document == *"<interface type='network'>"* ]] && sed 's#/images/#/fast/#' <<<"$document"\nexit 0\n`,
  python: PYTHON_HEAD + `import xml.etree.ElementTree as tree
domain = tree.fromstring(document)
if domain.find("./devices/interface[@type='network']") is not None:
    for source in domain.findall("./devices/disk/source"):
        source.set("file", source.get("file", "").replace("/images/", "/fast/"))
    sys.stdout.write(tree.tostring(domain, encoding="unicode"))
`,
} as const;

const POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB";
const [SWAPPINESS, DIRTY_RATIO] = ["/proc/sys/vm/swappiness", "/proc/sys/vm/dirty_ratio"] as const;

/**
 * Two keys and a few huge pages, while the guest lives. Scripts keep the old values in a file, one at a time. The private root's files are no
 * kernel's: who writes one leaves what stands behind, so all values of a file are of one length.
 */
const HOLDING = {
  ...AT_START,
  goal: undefined,
  exitCode: 0,
  undo: "release",
  rules: `[[rule]]
name = "fast"
when = { domain = "web-*" }
sysctl = { "vm.swappiness" = 10, "vm.dirty_ratio" = 15 }
hugepages = { pages = 2, size = "2M" }
`,
  files: {
    [SWAPPINESS]: "60\n",
    [DIRTY_RATIO]: "20\n",
    [`${POOL}/nr_hugepages`]: "1000\n",
    [`${POOL}/free_hugepages`]: "1000\n",
    [`${POOL}/resv_hugepages`]: "0\n",
    [`${POOL}/surplus_hugepages`]: "0\n",
  },
  bash: BASH_HEAD + `[[ $1 == web-* ]] || exit 0
exec 9>>/run/bench-bash.lock
flock 9
saved=/run/bench-bash-$1
if [[ $2 == prepare ]]; then
  read -r swappiness <${SWAPPINESS}
  read -r dirty_ratio <${DIRTY_RATIO}
  read -r pages <${POOL}/nr_hugepages
  echo "$swappiness $dirty_ratio $pages" >"$saved"
  echo 10 >${SWAPPINESS}
  echo 15 >${DIRTY_RATIO}
  echo $((pages + 2)) >${POOL}/nr_hugepages
elif [[ $2 == release ]]; then
  read -r swappiness dirty_ratio pages <"$saved"
  rm "$saved"
  echo "$pages" >${POOL}/nr_hugepages
  echo "$dirty_ratio" >${DIRTY_RATIO}
  echo "$swappiness" >${SWAPPINESS}
fi
`,
  python: PYTHON_HEAD + `import fcntl, os
lock = open("/run/bench-python.lock", "a")
fcntl.flock(lock, fcntl.LOCK_EX)
keys = ["${SWAPPINESS}", "${DIRTY_RATIO}", "${POOL}/nr_hugepages"]
saved = "/run/bench-python-" + guest
def read(path):
    with open(path) as file:
        return file.read().strip()
def write(path, value):
    with open(path, "w") as file:
        file.write(value)
if not fnmatch.fnmatchcase(guest, "web-*"):
    pass
elif operation == "prepare":
    old = [read(key) for key in keys]
    with open(saved, "w") as file:
        json.dump(old, file)
    for key, value in zip(keys, ["10", "15", str(int(old[2]) + 2)]):
        write(key, value)
elif operation == "release":
    with open(saved) as file:
        old = json.load(file)
    os.remove(saved)
    for key, value in zip(reversed(keys), reversed(old)):
        write(key, value)
`,
} as const;

const AT_ONCE = 50;

/** The cases. The call is that of a guest called web-1. */
export const CASES: readonly Case[] = [
  {
    ...AT_START,
    name: "no rules file",
    goal: 1.05,
    exitCode: 0,
    rules: undefined,
    bash: BASH_HEAD,
    python: PYTHON_HEAD,
  },
  {
    ...AT_START,
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
    ...AT_START,
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
  { ...REWRITE, name: "a 4 KB document selected and edited", goal: 1.25, moreDisks: 0 },
  { ...REWRITE, name: "a 40 KB document selected and edited", goal: 1.4, moreDisks: 90 },
  { ...HOLDING, name: "two sysctls and huge pages held" },
  { ...HOLDING, name: `the same, ${AT_ONCE} guests at once`, atOnce: AT_ONCE },
];

/** The guest's document in a case. */
export function caseDocument(guest: string, { moreDisks }: Case): string {
  const disks = Array.from({ length: moreDisks }, (_, index) => {
    const number = numbered(index);
    return `    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>
      <source file='/srv/images/web-1-data-${number}.qcow2' index='${index + 10}'/>
      <backingStore/>
      <target dev='sd${number}' bus='scsi'/>
      <serial>web-1-data-${number}</serial>
      <alias name='scsi0-0-0-${number}'/>
      <address type='drive' controller='0' bus='0' target='0' unit='${index + 10}'/>
    </disk>
`;
  });
  return guest.replace("  </devices>", `${disks.join("")}  </devices>`);
}

/** What stands in the private root while a case is measured. */
export function caseFiles({ rules, bash, python, files = {} }: Case): readonly Placed[] {
  const jsonRules = Array.from({ length: RULE_COUNT }, (_, index) => ({
    on: "prepare",
    domain: `guest-${numbered(index)}-*`,
    run: [PROGRAM, "\${domain}"],
  }));
  return [
    ...(rules === undefined ? [] : [
      { kind: "file", path: "/etc/virt-hooks/rules.toml", mode: "0644", content: rules } as const,
    ]),
    ...Object.entries(files).map(([path, content]) => ({ kind: "file", path, mode: "0644", content } as const)),
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
