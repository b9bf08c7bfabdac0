/**
 * Who is measured: the hook, empty programs compiled the same way, and scripts.
 * @module
 */
import { bundleBinary } from "../../build/bundle.ts";
import { compileBinary, parseSourceDateEpoch } from "../../build/compile.ts";
import { findDenort } from "../../build/denort/find.ts";
import { hostTarget } from "../../build/target.ts";
import type { Bind } from "../../lib/story/private_root.ts";
import type { Case } from "./cases.ts";
import type { Contender } from "./measure.ts";
import { COPY_NAME, HOOK_NAME } from "./report.ts";

/** The checkout, and this folder of it. */
export const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
export const HERE = decodeURIComponent(new URL("./", import.meta.url).pathname);

/** The usual way to write hooks. */
const SCRIPTS = [
  { name: "bash", interpreter: "/bin/bash", path: "/bench/hook.bash" },
  { name: "Python", interpreter: "/usr/bin/python3", path: "/bench/hook.py" },
] as const;

const EMPTY_NAME = "empty program";

/** Compiled programs, by their paths. */
export interface Programs {
  readonly hook: string;
  readonly empty: string;
  /** The same bytes: how the kernel happens to lay a file out in its cache makes a difference, and this shows it. */
  readonly emptyCopy: string;
  readonly exiting: string;
}

/** Where the private root shows what is needed to measure. */
export function programBinds({ hook, empty, emptyCopy, exiting }: Programs): readonly Bind[] {
  return [
    { from: hook, at: "/etc/libvirt/hooks/qemu" },
    { from: empty, at: "/bench/empty" },
    { from: emptyCopy, at: "/bench/empty-copy" },
    { from: exiting, at: "/bench/exiting" },
    { from: Deno.execPath(), at: "/bench/deno" },
    { from: `${HERE}measure.ts`, at: "/bench/measure.ts" },
  ];
}

/** Compiles a program of this folder with the flags and the runtime of the qemu hook. */
export async function compileEmpty(name: string, folder: string): Promise<string> {
  const binary = { name: "qemu", kind: "hook", entry: `tests/bench/${name}.ts`, output: name } as const;
  const bundle = await bundleBinary({ root: ROOT, binary, version: "0.0.0", folder: `${folder}/${name}.bundle` });
  const output = `${folder}/${name}`;
  const denort = await findDenort({
    target: hostTarget(),
    given: Deno.env.get("DENORT_BIN"),
    onProgress: () => {},
  });
  const sourceDateEpoch = parseSourceDateEpoch(Deno.env.get("SOURCE_DATE_EPOCH"));
  const target = hostTarget();
  await compileBinary({ binary, bundle, folder: `${folder}/${name}.bundle`, output, target, denort, sourceDateEpoch });
  return output;
}

/**
 * Puts files into the kernel's cache the way they get there after a boot: read from the disk. As they were written, the same
 * bytes can take a tenth longer or less to start, by how their pages happen to lie. Tells whether it could.
 */
export async function readAfresh({ hook, empty, emptyCopy, exiting }: Programs): Promise<boolean> {
  let all = true;
  for (const path of [hook, empty, emptyCopy, exiting]) {
    const args = [`of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"];
    const { success } = await new Deno.Command("dd", { args, stdin: "null", stdout: "null", stderr: "null" }).output();
    all = all && success;
    await Deno.readFile(path);
  }
  return all;
}

/** What the others are compared with comes first. */
export function contendersOf({ comparedWith, ...each }: Case): readonly Contender[] {
  const all = allContenders(each);
  const first = all.filter(({ name }) => name === comparedWith);
  return comparedWith === undefined
    ? all
    : [...first, ...all.filter(({ name }) => name === HOOK_NAME || name === EMPTY_NAME)];
}

function allContenders({ exitCode, operation, undo }: Case): readonly Contender[] {
  const call = ["web-1", operation, "begin", "-"];
  const undone = (path: string): Pick<Contender, "undo"> =>
    undo === undefined ? {} : { undo: [path, "web-1", undo, "end", "-"] };
  const scripts = SCRIPTS.filter(({ interpreter }) => exists(interpreter));
  return [
    { name: EMPTY_NAME, argv: ["/bench/empty", ...call], exitCode: 0 },
    { name: COPY_NAME, argv: ["/bench/empty-copy", ...call], exitCode: 0 },
    { name: "Deno.exit(0) alone", argv: ["/bench/exiting", ...call], exitCode: 0 },
    { name: HOOK_NAME, argv: ["/etc/libvirt/hooks/qemu", ...call], exitCode, ...undone("/etc/libvirt/hooks/qemu") },
    ...scripts.map(({ name, path }): Contender => ({ name, argv: [path, ...call], exitCode, ...undone(path) })),
    { name: "/bin/true", argv: ["/bin/true"], exitCode: 0 },
  ];
}

/** Interpreters that are not on this machine: their scripts are left out. */
export function missingInterpreters(): readonly string[] {
  return SCRIPTS.map(({ interpreter }) => interpreter).filter((path) => !exists(path));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
