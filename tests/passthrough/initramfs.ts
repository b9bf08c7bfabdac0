/**
 * The guest's root folder: busybox for its own scripts, the real programs that our binaries run, kernel modules, and the
 * compiled binaries under test.
 * @module
 */
import { cpio, type Entry } from "./cpio.ts";
import type { GuestKernel } from "./kernel.ts";

/** What of the kernel's modules the guest has; what they need comes along. */
const MODULES = ["e1000", "nvme", "ext4", "crc32c_generic", "vfio", "vfio-pci", "vfio_iommu_type1", "dummy"];
/** Our binaries ask these for the kernel's files; busybox's `find` knows no `-printf`. */
const PROGRAMS = ["/usr/bin/find", "/usr/bin/head", "/usr/bin/kill"];
/** Before the real one stands a script that can kill a hook at a write. */
const DD = { from: "/usr/bin/dd", to: "/usr/lib/real-dd" };
const BUSYBOX = "/bin/busybox";
const APPLETS = [
  ...["sh", "mount", "umount", "cat", "echo", "ls", "readlink", "basename", "sleep", "mkdir", "ln", "rm", "cp", "mv"],
  ...["stty", "ip", "ifconfig", "grep", "sed", "poweroff", "swapon", "swapoff", "mkswap", "mke2fs", "ps", "true", "tr"],
  ...["dmesg", "head", "sort", "wc", "touch", "chmod", "seq", "usleep"],
];
const KMOD = "/bin/kmod";
const FOLDERS = ["proc", "sys", "dev", "tmp", "run", "var/log", "mnt", "root", "opt", "usr/sbin", "etc/virt-hooks"];

/** Text files by path, with modes. */
export type GuestFiles = Readonly<Record<string, { readonly text: string; readonly mode: number }>>;

/** Writes the archive to a file. `files` come on top of all else. */
export async function writeInitramfs(
  path: string,
  options: { readonly kernel: GuestKernel; readonly hooks: readonly string[]; readonly files: GuestFiles },
): Promise<void> {
  const { kernel, hooks, files } = options;
  const programs = [...PROGRAMS, ...hooks, KMOD, DD.from];
  const libraries = new Set((await Promise.all(programs.map(librariesOf))).flat());
  const bins = [...PROGRAMS, KMOD, BUSYBOX, ...libraries].map((from) => copied(from, from, 0o755));
  const entries: Entry[] = [
    ...bins,
    copied(DD.from, DD.to, 0o755),
    ...hooks.map((from) => copied(from, `/hooks/${from.slice(from.lastIndexOf("/") + 1)}`, 0o755)),
    ...APPLETS.map((name): Entry => ({ kind: "link", path: `/bin/${name}`, target: BUSYBOX })),
    { kind: "link", path: "/usr/sbin/modprobe", target: KMOD },
    ...await moduleFiles(kernel),
    ...Object.entries(files).map(([at, { text, mode }]): Entry => ({
      kind: "file",
      path: at,
      bytes: new TextEncoder().encode(text),
      mode,
    })),
  ];
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (const piece of cpio([...foldersOf(entries), ...entries])) writeAll(file, piece);
}

function copied(from: string, path: string, mode: number): Entry {
  return { kind: "file", path, bytes: Deno.readFileSync(from), mode };
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

/** Parents come before what is in them. */
function foldersOf(entries: readonly Entry[]): readonly Entry[] {
  const paths = new Set<string>();
  for (const path of [...FOLDERS.map((folder) => `/${folder}/`), ...entries.map((entry) => entry.path)]) {
    for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1)) paths.add(path.slice(0, at));
  }
  return [...paths].sort().map((path) => ({ kind: "folder", path }));
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

/** Where the dynamic linker finds a program's libraries, itself included. */
async function librariesOf(program: string): Promise<readonly string[]> {
  return (await run("ldd", [program])).split("\n").flatMap((line) => {
    const [, path] = /(?:=> |^\t)(\/\S+) \(/.exec(line) ?? [];
    return path === undefined ? [] : [path];
  });
}

/** The modules with all that they need, and an index of just these. */
async function moduleFiles({ release, modules }: GuestKernel): Promise<readonly Entry[]> {
  const all = new Map(
    (await run("find", [modules, "-name", "*.ko"])).trim().split("\n").map((path) => [nameOf(path), path]),
  );
  const root = Deno.makeTempDirSync({ prefix: "virt-hooks-modules." });
  try {
    const base = `${root}/lib/modules/${release}`;
    const wanted = new Set<string>();
    for (const name of MODULES) await collect(name, all, wanted);
    for (const path of wanted) {
      const to = `${base}/${path.slice(modules.length + 1)}`;
      Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      Deno.copyFileSync(path, to);
    }
    for (const name of ["modules.order", "modules.builtin", "modules.builtin.modinfo"]) {
      Deno.copyFileSync(`${modules}/${name}`, `${base}/${name}`);
    }
    await run("/sbin/depmod", ["-b", root, release]);
    const files = (await run("find", [base, "-type", "f"])).trim().split("\n");
    return files.map((path) => copied(path, path.slice(root.length), 0o644));
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.ko$/, "").replaceAll("-", "_");
}

async function collect(name: string, all: ReadonlyMap<string, string>, wanted: Set<string>): Promise<void> {
  const path = all.get(name.replaceAll("-", "_"));
  // What is not a file is built into the kernel.
  if (path === undefined || wanted.has(path)) return;
  wanted.add(path);
  const depends = (await run("/sbin/modinfo", ["-F", "depends", path])).trim();
  for (const other of depends.split(",").filter((one) => one !== "")) await collect(other, all, wanted);
}
