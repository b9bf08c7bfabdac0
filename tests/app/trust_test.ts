import { checkTrust, refuseArgv } from "../../lib/app/trust.ts";
import { type MemoryHost, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals } from "../support/assert.ts";

type Files = NonNullable<MemoryHost["files"]>;

const CASES: readonly { readonly name: string; readonly files: Files; readonly path: string; readonly want: string }[] =
  [
    { name: "root's file in root's folders", files: { "/opt/a/x": "" }, path: "/opt/a/x", want: "trusted /opt/a/x" },
    {
      name: "a path with dots and slashes",
      files: { "/opt/a/x": "" },
      path: "//opt/./b/../a//x",
      want: "missing /opt/b",
    },
    { name: "a missing file", files: { "/opt/a": "" }, path: "/opt/b", want: "missing /opt/b" },
    {
      name: "another's file",
      files: { "/opt/x": { uid: 1000 } },
      path: "/opt/x",
      want: "/opt/x belongs to user 1000, not to root; chown root:root /opt/x",
    },
    {
      name: "the overflow user's file",
      files: { "/opt/x": { uid: 65534 } },
      path: "/opt/x",
      want: "/opt/x belongs to user 65534, not to root; chown root:root /opt/x",
    },
    {
      name: "a file that its group can write",
      files: { "/opt/x": { mode: 0o664 } },
      path: "/opt/x",
      want: "/opt/x can be written by others than root (mode 0664); chmod go-w /opt/x",
    },
    {
      name: "a file that all can write",
      files: { "/opt/x": { mode: 0o646 } },
      path: "/opt/x",
      want: "/opt/x can be written by others than root (mode 0646); chmod go-w /opt/x",
    },
    {
      name: "a sticky folder",
      files: { "/tmp": { kind: "directory", mode: 0o1777 }, "/tmp/x": "" },
      path: "/tmp/x",
      want: "/tmp can be written by others than root (mode 1777); chmod go-w /tmp",
    },
    {
      name: "another's folder above",
      files: { "/home": { kind: "directory", uid: 7 }, "/home/a/x": "" },
      path: "/home/a/x",
      want: "/home belongs to user 7, not to root; chown root:root /home",
    },
    {
      name: "a top folder of others",
      files: { "/": { kind: "directory", uid: 7 } },
      path: "/x",
      want: "/ belongs to user 7, not to root; chown root:root /",
    },
    {
      name: "root's relative link",
      files: { "/bin": { kind: "symlink", text: "usr/bin", mode: 0o777 }, "/usr/bin/x": "" },
      path: "/bin/x",
      want: "trusted /usr/bin/x",
    },
    {
      name: "root's absolute link",
      files: { "/etc/alt/x": { kind: "symlink", text: "/usr/bin/y" }, "/usr/bin/y": "" },
      path: "/etc/alt/x",
      want: "trusted /usr/bin/y",
    },
    {
      name: "root's link upwards",
      files: { "/a/b/l": { kind: "symlink", text: "../c" }, "/a/c": "" },
      path: "/a/b/l",
      want: "trusted /a/c",
    },
    {
      name: "root's link to another's file",
      files: { "/opt/x": { kind: "symlink", text: "/home/u/x" }, "/home/u/x": { uid: 1000 } },
      path: "/opt/x",
      want: "/home/u/x belongs to user 1000, not to root; chown root:root /home/u/x",
    },
    {
      name: "another's link",
      files: { "/opt/x": { kind: "symlink", text: "/usr/x", uid: 5 }, "/usr/x": "" },
      path: "/opt/x",
      want: "/opt/x belongs to user 5, not to root; chown -h root:root /opt/x",
    },
    {
      name: "a link in a circle",
      files: { "/a": { kind: "symlink", text: "b" }, "/b": { kind: "symlink", text: "a" } },
      path: "/a",
      want: "/a leads through too many links; ls -l /a",
    },
    {
      name: "a name that a shell would not take as it is",
      files: { "/opt/it's": { uid: 1 } },
      path: "/opt/it's",
      want: "/opt/it's belongs to user 1, not to root; chown root:root '/opt/it'\\''s'",
    },
  ];

for (const { name, files, path, want } of CASES) {
  Deno.test(`checkTrust() sees ${name}`, () => {
    const trust = checkTrust(path, memorySys({ files }));
    const got = trust.kind === "untrusted" ? `${trust.reason}; ${trust.repair}` : `${trust.kind} ${trust.path}`;
    assertEquals(got, want);
  });
}

const PROGRAMS: readonly {
  readonly name: string;
  readonly files: Files;
  readonly argv: readonly [string, ...string[]];
  readonly want: string | undefined;
}[] = [
  { name: "takes a program", files: { "/opt/x": { mode: 0o755 } }, argv: ["/opt/x"], want: undefined },
  { name: "refuses a missing program", files: {}, argv: ["/opt/x"], want: "there is no /opt" },
  {
    name: "refuses a program that is not executable",
    files: { "/opt/x": "" },
    argv: ["/opt/x"],
    want: "/opt/x is not executable",
  },
  {
    name: "refuses a folder",
    files: { "/opt/x": { kind: "directory", mode: 0o755 } },
    argv: ["/opt/x"],
    want: "/opt/x is not a regular file",
  },
  {
    name: "refuses a FIFO",
    files: { "/opt/x": { kind: "other", mode: 0o755 } },
    argv: ["/opt/x"],
    want: "/opt/x is not a regular file",
  },
  {
    name: "refuses another's script behind root's interpreter",
    files: { "/usr/bin/python3": { mode: 0o755 }, "/srv/s.py": { uid: 1000 } },
    argv: ["/usr/bin/python3", "-u", "/srv/s.py"],
    want: "not trusted: /srv/s.py belongs to user 1000, not to root",
  },
  {
    name: "leaves data that a program is given alone",
    files: { "/opt/x": { mode: 0o755 }, "/srv/data": { uid: 1000 } },
    argv: ["/opt/x", "/srv/data"],
    want: undefined,
  },
];

for (const { name, files, argv, want } of PROGRAMS) {
  Deno.test(`refuseArgv() ${name}`, () => {
    assertEquals(refuseArgv(argv, memorySys({ files }))?.reason, want);
  });
}
