/**
 * What the last build was made from, so that the next one does only what has changed. It stands beside `dist/TARGET`,
 * not in it.
 * @module
 */
import * as v from "valibot";
import type { Checksums } from "./archive.ts";
import type { Binary } from "./binaries.ts";
import type { Bundle } from "./bundle.ts";
import { compileFlags } from "./compile.ts";
import { sha256Hex } from "./checksum.ts";
import type { Denort } from "./denort.ts";
import type { Emulation } from "./start_check.ts";
import type { Target } from "./target.ts";

const STAMP = v.object({
  /** For each binary: a hash over every source, and one over what alone decides its bytes. */
  binaries: v.record(v.string(), v.object({ sources: v.string(), key: v.string() })),
  checksums: v.record(v.string(), v.string()),
});

/** What a finished build says about itself. */
export interface Stamp {
  readonly binaries: Readonly<Record<string, { readonly sources: string; readonly key: string }>>;
  readonly checksums: Checksums;
}

/** What every binary of a build is made with. */
export interface Toolchain {
  readonly target: Target;
  readonly denort: Denort;
  readonly sourceDateEpoch: number;
  /** How the target's programs run here: what could not be started is built again once it can. */
  readonly emulation: Emulation;
}

const SOURCES = ["build.ts", "cli.ts", "deno.json", "deno.lock", "install.sh"] as const;
const SOURCE_FOLDERS = ["build", "hooks", "lib"] as const;

/** Reads a stamp; one that is missing or cannot be understood means that everything is built. */
export async function readStamp(path: string): Promise<Stamp> {
  const nothing = { binaries: {}, checksums: {} };
  try {
    const parsed = v.safeParse(STAMP, JSON.parse(await Deno.readTextFile(path)));
    return parsed.success ? parsed.output : nothing;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return nothing;
    throw error;
  }
}

/** A hash over everything a build reads: sources, examples, toolchain. */
export async function hashSources(
  root: string,
  extraPaths: readonly string[],
  toolchain: Toolchain,
): Promise<string> {
  const paths = [...SOURCES, ...extraPaths];
  for (const folder of SOURCE_FOLDERS) paths.push(...await filesBelow(root, folder));
  return await sha256Hex([
    toolchainText(toolchain),
    ...await Promise.all([...new Set(paths)].toSorted().map((path) => fileLine(root, path))),
  ].join("\n"));
}

/** A hash over the build itself: when its checks change, every binary is built and checked again. */
export async function hashBuildRoom(root: string): Promise<string> {
  const paths = ["build.ts", ...await filesBelow(root, "build")].toSorted();
  return await sha256Hex((await Promise.all(paths.map((path) => fileLine(root, path)))).join("\n"));
}

/** A hash over what alone decides a binary's bytes and checks. */
export async function hashBinary(
  binary: Binary,
  bundle: Bundle,
  { toolchain, buildRoom }: { readonly toolchain: Toolchain; readonly buildRoom: string },
): Promise<string> {
  return await sha256Hex([
    toolchainText(toolchain),
    buildRoom,
    ...compileFlags(binary, Deno.version.deno),
    JSON.stringify(bundle),
  ].join("\n"));
}

function toolchainText({ target, denort, sourceDateEpoch, emulation }: Toolchain): string {
  const base = denort.kind === "file" ? denort.sha256 : denort.kind;
  return [Deno.version.deno, target, base, sourceDateEpoch, emulation.kind].join("\n");
}

async function fileLine(root: string, path: string): Promise<string> {
  try {
    return `${path} ${await sha256Hex(await Deno.readFile(`${root}/${path}`))}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `${path} -`;
    throw error;
  }
}

async function filesBelow(root: string, folder: string): Promise<readonly string[]> {
  const paths: string[] = [];
  try {
    for await (const { name, isFile, isDirectory } of Deno.readDir(`${root}/${folder}`)) {
      if (isFile) paths.push(`${folder}/${name}`);
      if (isDirectory) paths.push(...await filesBelow(root, `${folder}/${name}`));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return paths;
}
