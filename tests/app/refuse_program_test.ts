import { refuseArgv } from "../../lib/app/refuse_program.ts";
import { type MemoryHost, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals } from "../support/assert.ts";

interface Case {
  readonly name: string;
  readonly files: NonNullable<MemoryHost["files"]>;
  readonly argv: readonly [string, ...string[]];
  readonly want: string | undefined;
}

const ELF = { text: "\x7fELF", mode: 0o755 };

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
    name: "refuses another's interpreter",
    files: { "/opt/x": script("/srv/py"), "/srv/py": { ...ELF, uid: 1000 } },
    argv: ["/opt/x"],
    want:
      "the interpreter of /opt/x: not trusted: /srv/py belongs to user 1000, not to root; try: chown root:root /srv/py",
  },
  {
    name: "refuses another's script behind root's interpreter",
    files: { "/usr/bin/python3": ELF, "/srv/s.py": { uid: 1000 } },
    argv: ["/usr/bin/python3", "-u", "/srv/s.py"],
    want: "not trusted: /srv/s.py belongs to user 1000, not to root; try: chown root:root /srv/s.py",
  },
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
