import { ELF_START } from "../support/elf.ts";
import { refuseArgv } from "../../lib/trust/refuse_program.ts";
import { type MemoryHost, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";

interface Case {
  readonly name: string;
  readonly files: NonNullable<MemoryHost["files"]>;
  readonly argv: readonly [string, ...string[]];
  readonly filled?: readonly number[];
  readonly again?: true;
  readonly want: string | undefined;
}

const ELF = { text: ELF_START, mode: 0o755 };

/** A script for an interpreter. */
function script(interpreter: string): { readonly text: string; readonly mode: number } {
  return { text: `#!${interpreter}\nexit 0\n`, mode: 0o755 };
}

const OTHERS_FOLDER = {
  "/srv/u": { kind: "directory", uid: 1000, mode: 0o755 },
  "/srv/u/folder": { kind: "directory", uid: 1000, mode: 0o755 },
  "/srv/u/program": { ...ELF, uid: 1000 },
  "/srv/u/script": { text: "#!/bin/sh\n", uid: 1000 },
} as const;

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
    want: "the argument /srv/s.py could be run, and is not trusted: /srv/s.py belongs to user 1000, not to root; " +
      "try: chown root:root /srv/s.py; or, where it is data, let the program itself name it",
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
  {
    name: "refuses an interpreter by another name that a value of the call may tell what to do",
    files: { "/opt/x": { kind: "symlink", text: "/usr/bin/python3" }, "/usr/bin/python3": ELF },
    argv: ["/opt/x", "-c", "print('guest')"],
    filled: [2],
    want:
      "/opt/x is /usr/bin/python3, which may run the values of the call that its arguments have; leave placeholders " +
      "out of its arguments: the program finds the values in its VIRT_HOOKS_ environment",
  },
  ...[
    ["/bin/sh", "/srv/s"],
    ["/bin/sh", "-eu", "/srv/s"],
    ["/bin/sh", "-eo", "pipefail", "/srv/s"],
    ["/bin/sh", "-o", "pipefail", "/srv/s"],
    ["/bin/sh", "--rcfile", "/srv/s", "-i"],
    ["/usr/bin/python3", "-I", "/srv/s"],
    ["/usr/bin/python3", "-E", "srv/s"],
    ["/usr/bin/python3", "-W", "ignore", "/srv/s"],
    ["/usr/bin/env", "A=1", "/srv/s"],
    ["/usr/bin/env", "BASH_ENV=/srv/s", "/bin/sh", "-c", "true"],
    ["/usr/bin/timeout", "5", "/bin/sh", "-eu", "/srv/s"],
    ["/usr/bin/awk", "-f", "/srv/s"],
    ["/usr/bin/awk", "-f/srv/s"],
    ["/usr/bin/make", "--file=/srv/s"],
    ["/usr/bin/prlimit", "--nofile=5:9", "/srv/s"],
    ["/opt/unknown", "/srv/s"],
    ["/opt/unknown", "--config=/etc/a,/srv/s"],
    ["/opt/unknown", "/opt/link"],
  ].map(([program = "", ...args]): Case => ({
    name: `refuses another's file in ${program} ${args.join(" ")}`,
    files: {
      ...{ [program]: ELF, "/bin/sh": ELF, "/srv/s": { uid: 1000 }, "/etc/a": "" },
      "/opt/link": { kind: "symlink", text: "../srv/s" },
    },
    argv: [program, ...args],
    want:
      `the argument ${args.some((word) => word.endsWith("link")) ? "/opt/link" : "/srv/s"} could be run, and is not ` +
      "trusted: /srv/s belongs to user 1000, not to root; try: chown root:root /srv/s; or, where it is data, let the program " +
      "itself name it",
  })),
  ...[
    ["/usr/bin/env", "PATH=/usr/bin:/srv/u", "x"],
    ["/usr/bin/perl", "-I/srv/u", "/opt/x"],
    ["/usr/bin/run-parts", "/srv/u"],
    ["/bin/sh", "-c", "cd /; exec /srv/u/program"],
    ["/bin/sh", "-c", "cd /srv/u && ./program"],
    ["/usr/bin/env", "-S", "PATH=/srv/u program"],
    // What is run there is what its owner put there.
    ["/usr/bin/env", "-C", "/srv/u", "./program"],
    ["/usr/bin/env", "--chdir=/srv/u", "./program"],
    ["/usr/bin/nsenter", "--wd=/srv/u", "./program"],
    ["/usr/sbin/chroot", "/srv/u", "/bin/true"],
    // Its owner can put a script there between this look and the start.
    ["/bin/sh", "/srv/u/not-yet"],
    ["/usr/bin/timeout", "5", "/srv/u/folder"],
  ].map(([program = "", ...args]): Case => ({
    name: `refuses another's folder in ${program} ${args.join(" ")}`,
    files: { [program]: ELF, "/opt/x": "", ...OTHERS_FOLDER },
    argv: [program, ...args],
    want: "not trusted: /srv/u belongs to user 1000, not to root",
  })),
  ...[
    ["/bin/sh", "-c", "/srv/s | cat"],
    ["/usr/bin/sed", "-n", "/srv/t"],
    ["/usr/sbin/chroot", "/srv", "/bin/true"],
    ["/bin/bash", "--rcfile", "/dev/null", "-c", "true"],
    // Behind the slash can only be a folder.
    ["/usr/bin/env", "/usr/bin/rsync", "/srv/u/folder/"],
    ["/usr/bin/env", "HOME=/srv/u/", "/bin/true"],
    ["/opt/unknown", "/srv/u/not-yet", "/srv/u/folder", "a".repeat(300), "x".repeat(5000)],
    ["/opt/unknown", "-c", "/bin/notes"],
  ].map(([program = "", ...args]): Case => ({
    name: `takes ${program} ${args.join(" ").slice(0, 60)}`,
    files: {
      ...{ [program]: ELF, "/bin/true": ELF, "/usr/bin/rsync": ELF, "/srv/s": { uid: 1000 }, ...OTHERS_FOLDER },
      ...{ "/dev/null": { kind: "other", mode: 0o666 }, "/bin/notes": { text: "no program", mode: 0o755 } },
    },
    argv: [program, ...args],
    want: undefined,
  })),
  ...[
    { name: "data", argv: ["/opt/unknown", "/srv/s"], want: undefined },
    { name: "data glued to text", argv: ["/opt/unknown", "--disk=/srv/s"], want: undefined },
    { name: "a program", argv: ["/opt/unknown", "/srv/u/program"], want: "/srv/u belongs to user 1000" },
    { name: "a script that is not executable", argv: ["/opt/unknown", "/srv/u/script"], want: "/srv/u belongs to" },
    {
      name: "anything behind an interpreter",
      argv: ["/usr/bin/python3", "/srv/s"],
      want: "/srv/s belongs to user 1000",
    },
    { name: "a program, where it undoes", argv: ["/opt/unknown", "/srv/u/program"], again: true, want: undefined },
  ].map(({ name, argv: [program = "", ...args], want, again }): Case => ({
    name: `looks at a value of the call that is ${name}`,
    files: { [program]: ELF, "/srv/s": { uid: 1000 }, ...OTHERS_FOLDER },
    ...{ argv: [program, ...args], filled: [1], want },
    ...(again === undefined ? {} : { again: true }),
  })),
  ...[
    { interpreter: "/home/u/python", want: "not trusted: /home/u/python belongs to user 1000, not to root" },
    { interpreter: "/opt/chain", want: "not trusted: /home/u/python belongs to user 1000, not to root" },
    { interpreter: "/usr/bin/env -S /home/u/script", want: "the argument /home/u/script could be run" },
    { interpreter: "/bin/sh /home/u/script", want: "the argument /home/u/script could be run" },
    { interpreter: "bin/sh home/u/script", want: "the argument /home/u/script could be run" },
    { interpreter: "/opt/loop", want: "the interpreters of /opt/loop are too many" },
  ].flatMap(({ interpreter, want }): readonly Case[] => {
    const files = {
      ...{ "/opt/x": script(interpreter), "/bin/sh": ELF, "/usr/bin/env": ELF, "/usr/bin/timeout": ELF },
      ...{ "/opt/chain": script("/home/u/python"), "/opt/loop": script("/opt/loop") },
      ...{ "/home/u/python": { ...ELF, uid: 1000 }, "/home/u/script": { ...script("/bin/sh"), uid: 1000 } },
    };
    return [
      { name: `refuses a script for ${interpreter}`, files, argv: ["/opt/x"], want },
      { name: `refuses an argument for ${interpreter}`, files, argv: ["/usr/bin/timeout", "5", "/opt/x"], want },
    ];
  }),
];

for (const { name, files, argv, filled = [], again = false, want } of CASES) {
  Deno.test(`refuseArgv() ${name}`, async () => {
    const sys = memorySys({
      files,
      programs: { "/usr/bin/head": ({ argv: [, , , , path = ""] }) => head(path, files) },
    });
    const refusal = await refuseArgv({ argv, filled }, sys, { again });
    const got = refusal === undefined ? undefined : `${refusal.reason}; ${refusal.advice}`;
    if (got === undefined || want === undefined) assertEquals(got, want);
    else assertStringIncludes(got, want);
  });
}

/** What the program `head` prints of a file in memory. */
function head(path: string, files: NonNullable<MemoryHost["files"]>): { readonly stdout: string } {
  const file = files[path];
  return { stdout: (typeof file === "string" ? file : file?.text ?? "").slice(0, 4) };
}
