import { checkTrust } from "../../lib/trust/trust.ts";
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
      want: "/opt/x belongs to user 1000, not to root; try: chown root:root /opt/x",
    },
    {
      name: "the overflow user's file",
      files: { "/opt/x": { uid: 65534 } },
      path: "/opt/x",
      want: "/opt/x belongs to user 65534, not to root; try: chown root:root /opt/x",
    },
    {
      name: "a file that its group can write",
      files: { "/opt/x": { mode: 0o664 } },
      path: "/opt/x",
      want: "/opt/x can be written by others than root (mode 0664); try: chmod go-w /opt/x",
    },
    {
      name: "a file that all can write",
      files: { "/opt/x": { mode: 0o646 } },
      path: "/opt/x",
      want: "/opt/x can be written by others than root (mode 0646); try: chmod go-w /opt/x",
    },
    {
      name: "a sticky folder",
      files: { "/tmp": { kind: "directory", mode: 0o1777 }, "/tmp/x": "" },
      path: "/tmp/x",
      want: "/tmp can be written by others than root (mode 1777); keep it in a folder that only root can write",
    },
    {
      name: "another's folder above",
      files: { "/home": { kind: "directory", uid: 7 }, "/home/a/x": "" },
      path: "/home/a/x",
      want: "/home belongs to user 7, not to root; try: chown root:root /home",
    },
    {
      name: "a top folder of others",
      files: { "/": { kind: "directory", uid: 7 } },
      path: "/x",
      want: "/ belongs to user 7, not to root; try: chown root:root /",
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
      want: "/home/u/x belongs to user 1000, not to root; try: chown root:root /home/u/x",
    },
    {
      name: "another's link",
      files: { "/opt/x": { kind: "symlink", text: "/usr/x", uid: 5 }, "/usr/x": "" },
      path: "/opt/x",
      want: "/opt/x belongs to user 5, not to root; try: chown -h root:root /opt/x",
    },
    {
      name: "a link in a circle",
      files: { "/a": { kind: "symlink", text: "b" }, "/b": { kind: "symlink", text: "a" } },
      path: "/a",
      want: "/a leads through too many links; see: ls -l /a",
    },
    {
      name: "a name that a shell would not take as it is",
      files: { "/opt/it's": { uid: 1 } },
      path: "/opt/it's",
      want: "/opt/it's belongs to user 1, not to root; try: chown root:root '/opt/it'\\''s'",
    },
  ];

for (const { name, files, path, want } of CASES) {
  Deno.test(`checkTrust() sees ${name}`, async () => {
    const trust = await checkTrust(path, memorySys({ files }));
    const got = trust.kind === "untrusted" ? `${trust.reason}; ${trust.advice}` : `${trust.kind} ${trust.path}`;
    assertEquals(got, want);
  });
}
