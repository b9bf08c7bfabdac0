/**
 * The root folder of a guest that runs nothing but systemd and one script: this machine's systemd with its libraries, the
 * programs that our hook runs, and the compiled hook.
 * @module
 */
import { HOOKS } from "../e2e/scene.ts";
import { cpio, type Entry } from "../passthrough/cpio.ts";

const PROGRAMS = [
  ...["/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-executor", "/usr/lib/systemd/systemd-shutdown"],
  ...["/usr/bin/systemctl", "/usr/bin/dd", "/usr/bin/find", "/usr/bin/head"],
] as const;
const BUSYBOX = "/bin/busybox";
const APPLETS = ["sh", "cat", "echo", "grep", "cut", "tr", "mount", "mkdir", "sleep", "poweroff"];
const FOLDERS = ["dev", "proc", "sys", "run", "tmp", "root", "usr/sbin", "var/log/virt-hooks"];

/** `/bin` and the like are links, as systemd wants them. */
const LINKS = ["bin", "sbin", "lib", "lib64"];

const UNITS = {
  "/etc/systemd/system/default.target": "[Unit]\nDefaultDependencies=no\nRequires=script.service\n",
  "/etc/systemd/system/script.service": [
    "[Unit]\nDefaultDependencies=no",
    "[Service]\nType=oneshot\nStandardOutput=tty\nStandardError=tty\nTTYPath=/dev/ttyS1",
    "ExecStart=/bin/sh /script\nExecStopPost=/bin/systemctl --no-block poweroff -ff\n",
  ].join("\n"),
  "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "/etc/group": "root:x:0:\n",
} as const;

/** Writes the root folder as an archive that a kernel unpacks; `files` come on top. An `/init` among them is process 1. */
export async function writeGuestRoot(path: string, files: Readonly<Record<string, string>>): Promise<void> {
  const hook = `${HOOKS}/qemu`;
  const programs = PROGRAMS.filter(exists);
  const libraries = new Set((await Promise.all([...programs, hook].map(librariesOf))).flat());
  const entries: readonly Entry[] = [
    ...[...programs, ...libraries].map((from) => copied(from, from.replace(/^\/lib/, "/usr/lib"))),
    copied(hook, "/usr/lib/qemu-hook"),
    copied(BUSYBOX, "/usr/bin/busybox"),
    ...APPLETS.map((name): Entry => ({ kind: "link", path: `/usr/bin/${name}`, target: "busybox" })),
    ...("/init" in files ? [] : [{ kind: "link", path: "/init", target: "usr/lib/systemd/systemd" } as const]),
    ...Object.entries({ ...UNITS, ...files }).map(([at, text]): Entry => ({
      kind: "file",
      path: at,
      bytes: new TextEncoder().encode(text),
      mode: text.startsWith("#!") ? 0o755 : 0o644,
    })),
  ];
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (const piece of cpio([...foldersOf(entries), ...entries])) {
    for (let written = 0; written < piece.length;) written += file.writeSync(piece.subarray(written));
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // The executor is of newer versions only.
    return false;
  }
}

function copied(from: string, path: string): Entry {
  return { kind: "file", path, bytes: Deno.readFileSync(from), mode: 0o755 };
}

/** Parents come before what is in them; the root folder too is root's alone. */
function foldersOf(entries: readonly Entry[]): readonly Entry[] {
  const paths = new Set<string>();
  for (const path of [...FOLDERS.map((folder) => `/${folder}/`), ...entries.map((entry) => entry.path)]) {
    for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1)) paths.add(path.slice(0, at));
  }
  const links = LINKS.map((name): Entry => ({ kind: "link", path: `/${name}`, target: `usr/${name}` }));
  return [
    { kind: "folder", path: "." },
    ...[...paths].sort().map((path): Entry => ({ kind: "folder", path })),
    ...links,
  ];
}

/** Where the dynamic linker finds a program's libraries, itself included. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [program], stdin: "null", stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n").flatMap((line) => {
    const [, path] = /(?:=> |^\t)(\/\S+) \(/.exec(line) ?? [];
    return path === undefined ? [] : [path];
  });
}
