import { ELF_START } from "../support/elf.ts";
import { refuseArgv } from "../../lib/trust/refuse_program.ts";
import { type MemoryHost, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals } from "../support/assert.ts";

interface Case {
  readonly name: string;
  readonly files: NonNullable<MemoryHost["files"]>;
  readonly argv: readonly [string, ...string[]];
  readonly want: string | undefined;
}

const ELF = { text: ELF_START, mode: 0o755 };

/** A script for an interpreter. */
function script(interpreter: string): { readonly text: string; readonly mode: number } {
  return { text: `#!${interpreter}\nexit 0\n`, mode: 0o755 };
}

const CASES: readonly Case[] = [
  { name: "takes a program", files: { "/opt/x": ELF }, argv: ["/opt/x"], want: undefined },
  {
    name: "takes a script",
    files: { "/opt/x": script(" /bin/sh -eu"), "/bin/sh": ELF },
    argv: ["/opt/x"],
    want: undefined,
  },
  { name: "refuses a missing program", files: {}, argv: ["/opt/x"], want: "there is no /opt; see: ls -l /" },
  {
    name: "refuses a program that is not executable",
    files: { "/opt/x": { ...ELF, mode: 0o644 } },
    argv: ["/opt/x"],
    want: "/opt/x is not executable; try: chmod 755 /opt/x",
  },
  {
    name: "refuses a folder",
    files: { "/opt/x": { kind: "directory", mode: 0o755 } },
    argv: ["/opt/x"],
    want: "/opt/x is not a regular file; see: ls -ld /opt/x",
  },
  {
    name: "refuses a FIFO",
    files: { "/opt/x": { kind: "other", mode: 0o755 } },
    argv: ["/opt/x"],
    want: "/opt/x is not a regular file; see: ls -ld /opt/x",
  },
  {
    name: "refuses what a shell would be started for",
    files: { "/opt/x": { text: "echo hello\n", mode: 0o755 } },
    argv: ["/opt/x"],
    want: '/opt/x is neither a program nor a script; a script begins with "#!" and its interpreter',
  },
  {
    name: "refuses an empty file",
    files: { "/opt/x": { mode: 0o755 } },
    argv: ["/opt/x"],
    want: '/opt/x is neither a program nor a script; a script begins with "#!" and its interpreter',
  },
  {
    name: "refuses a script with a line end of another system",
    files: { "/opt/x": script("/bin/sh\r"), "/bin/sh": ELF },
    argv: ["/opt/x"],
    want: "the interpreter of /opt/x: there is no /bin/sh\r; see: ls -l /bin",
  },
  {
    name: "refuses another's script behind root's interpreter",
    files: { "/usr/bin/python3": ELF, "/srv/s.py": { uid: 1000 } },
    argv: ["/usr/bin/python3", "-u", "/srv/s.py"],
    want: "not trusted: /srv/s.py belongs to user 1000, not to root; try: chown root:root /srv/s.py",
  },
  {
    name: "refuses a program that is no program",
    files: { "/opt/x": { text: "\x7fELF\nid\n", mode: 0o755 } },
    argv: ["/opt/x"],
    want: "/opt/x is broken, or of another machine; see: file /opt/x",
  },
  {
    name: "refuses a shell by another name",
    files: { "/opt/x": { kind: "symlink", text: "/bin/bash" }, "/bin/bash": ELF },
    argv: ["/opt/x"],
    want: "/opt/x is a shell by another name; name it as what it is: /bin/bash",
  },
  ...[
    ["/usr/bin/python3", "-W", "ignore", "/srv/s"],
    ["/usr/bin/python3", "srv/s"],
    ["/bin/bash", "-o", "pipefail", "/srv/s"],
    ["/usr/bin/env", "A=1", "/srv/s"],
    ["/usr/bin/timeout", "5", "/srv/s"],
    ["/usr/bin/timeout", "5", "/bin/bash", "-eu", "/srv/s"],
  ].map(([program = "", ...args]): Case => ({
    name: `refuses another's script in ${program} ${args.join(" ")}`,
    files: { [program]: ELF, "/bin/bash": ELF, "/srv/s": { uid: 1000 } },
    argv: [program, ...args],
    want: "not trusted: /srv/s belongs to user 1000, not to root; try: chown root:root /srv/s",
  })),
  ...[
    ["/bin/sh", "-c", "/srv/s | cat"],
    ["/usr/bin/sed", "-n", "/srv/s"],
    ["/usr/sbin/chroot", "/srv", "/bin/true"],
    ["/bin/bash", "--rcfile", "/dev/null", "-c", "true"],
  ].map(([program = "", ...args]): Case => ({
    name: `takes ${program} ${args.join(" ")}`,
    files: { [program]: ELF, "/bin/true": ELF, "/srv/s": { uid: 1000 }, "/dev/null": { kind: "other", mode: 0o666 } },
    argv: [program, ...args],
    want: undefined,
  })),
  {
    name: "leaves data that a program is given alone",
    files: { "/opt/x": ELF, "/srv/data": { uid: 1000 } },
    argv: ["/opt/x", "/srv/data"],
    want: undefined,
  },
];

for (const { name, files, argv, want } of CASES) {
  Deno.test(`refuseArgv() ${name}`, () => {
    const refusal = refuseArgv(argv, memorySys({ files }));
    assertEquals(refusal === undefined ? undefined : `${refusal.reason}; ${refusal.advice}`, want);
  });
}
