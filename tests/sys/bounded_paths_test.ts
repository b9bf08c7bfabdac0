import { boundedPaths } from "../../lib/sys/bounded_paths.ts";
import { type MemoryHost, type MemoryProgram, memorySys } from "../../lib/sys/memory_sys.ts";
import { mayHaveServers, parseMounts, remoteMount } from "../../lib/sys/mounts.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

const MOUNTS = [
  "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
  "23 22 0:50 / /mnt/nfs rw shared:9 - nfs4 server:/x rw",
  "24 22 0:51 / /mnt/nfs/disk rw - xfs /dev/sdb rw",
  "25 22 0:52 / /mnt/a\\040b rw - fuse.sshfs u@h: rw",
  "26 22 0:53 / /net rw - autofs systemd-1 rw",
  "27 22 0:54 / /twice rw - nfs4 server:/x rw",
  "28 22 8:3 / /twice rw - ext4 /dev/sdc rw",
  "",
].join("\n");

const PLACES: Readonly<Record<string, string | undefined>> = {
  "/etc/x": undefined,
  "/mnt": undefined,
  "/mnt/nfs": "nfs4",
  "/mnt/nfs/x": "nfs4",
  "/mnt/nfsx": undefined,
  "/mnt/nfs/disk/x": undefined,
  "/mnt/a b/x": "fuse.sshfs",
  "/net/server": "autofs",
  "/twice/x": undefined,
};

for (const [path, type] of Object.entries(PLACES)) {
  Deno.test(`remoteMount() finds ${type ?? "no server"} at ${path}`, () => {
    assertEquals(remoteMount(path, parseMounts(MOUNTS))?.type, type);
  });
}

Deno.test("remoteMount() never counts what is mounted on /", () => {
  assertEquals(remoteMount("/etc/x", parseMounts("22 1 0:9 / / rw - nfs4 server:/root rw\n")), undefined);
});

Deno.test("mayHaveServers() goes by the names of backing devices", () => {
  assertEquals(mayHaveServers(["7:0", "253:0", "btrfs-1", "overlay-12"]), false);
  for (const name of ["0:52", "0:44-fuseblk", "cifs-1", "9p-3", "ceph-1"]) {
    assertEquals(mayHaveServers(["7:0", name]), true, name);
  }
  assertEquals(mayHaveServers(undefined), true);
});

const FILES = { "/proc/self/mountinfo": MOUNTS, "/etc/x": "local" } as const satisfies MemoryHost["files"];

/** A `find` or `head` that says this. */
function saying(stdout: string, stderr = ""): MemoryProgram {
  return () => ({ stdout, stderr, end: { kind: "exited", code: stderr === "" ? 0 : 1 } });
}

Deno.test("boundedPaths() looks by itself on this host's disks, and with a child elsewhere", async () => {
  const programs = { "/usr/bin/find": saying("f 0 7 755 12"), "/usr/bin/head": saying("text") };
  const sys = memorySys({ files: FILES, programs });
  const paths = boundedPaths(sys, 10_000);
  assertEquals([await paths.readTextFile("/etc/x", 9), sys.commands.length], ["local", 0]);
  const facts = { kind: "file", uid: 0, gid: 7, mode: 0o755, sizeBytes: 12 } as const;
  assertEquals(await paths.lstat("/mnt/nfs/x"), facts);
  assertEquals(await paths.readTextFile("/mnt/nfs/x", 9), "text");
  await assertRejects(() => paths.readTextFile("/mnt/nfs/x", 3), RangeError, "It is longer than 3 bytes");
  assertEquals(sys.commands.map(({ argv, timeoutMs }) => [argv[0], argv.includes("/mnt/nfs/x"), timeoutMs]), [
    ["/usr/bin/find", true, 4999.5],
    ["/usr/bin/head", true, 4999.5],
    ["/usr/bin/head", true, 4999.5],
  ]);
});

Deno.test("boundedPaths() tells what is not there from what cannot be looked at", async () => {
  const gone = memorySys({
    files: FILES,
    programs: { "/usr/bin/find": saying("", "find: '/mnt/nfs/x': No such file or directory\n") },
  });
  assertEquals(await gone.paths.lstat("/mnt/nfs/x"), undefined);
  assertEquals(await gone.paths.readDirectory("/mnt/nfs/x"), undefined);
  const denied = memorySys({
    files: FILES,
    programs: { "/usr/bin/find": saying("", "find: '/mnt/nfs/x': Permission denied\n") },
  });
  await assertRejects(() => denied.paths.lstat("/mnt/nfs/x"), Error, "Cannot look at /mnt/nfs/x: Permission denied");
});

Deno.test("boundedPaths() does not wait twice for a server, nor longer than the call", async () => {
  const sys = memorySys({
    files: FILES,
    programs: { "/usr/bin/find": () => ({ end: { kind: "timed-out", stuck: true } }) },
  });
  const paths = boundedPaths(sys, 2_001);
  const message = "/mnt/nfs/x does not answer (file system nfs4 on /mnt/nfs)";
  await assertRejects(() => paths.lstat("/mnt/nfs/x"), Error, message);
  await assertRejects(() => paths.lstat("/mnt/nfs/x"), Error, message);
  assertEquals(sys.commands.map(({ timeoutMs }) => timeoutMs), [1000]);
  sys.clock.elapsedMs = 2_001;
  await assertRejects(() => paths.lstat("/net/y"), Error, "/net/y does not answer (file system autofs on /net)");
  assertEquals(sys.commands.length, 1);
});
