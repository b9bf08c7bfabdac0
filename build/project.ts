/**
 * What the build reads from the checkout: the version, the binaries, the files beside them.
 * @module
 */
import * as v from "valibot";
import { BuildError, messageOf } from "./build_error.ts";
import { sha256Hex } from "./checksum.ts";

/** One binary to build. */
export interface Binary {
  /** Its name in the table of permissions, and its file name. */
  readonly name: string;
  readonly kind: "hook" | "admin";
  /** Its source, relative to the root of the checkout. */
  readonly entry: string;
  /** Its path relative to `dist/TARGET`. */
  readonly output: string;
}

const ADMIN = { name: "virt-hooks", kind: "admin", entry: "cli.ts", output: "virt-hooks" } as const satisfies Binary;

/** `1.2.3`, or a pre-release or build of it such as `1.2.3-rc.1`, as semver.org defines them. */
const VERSION = /^\d+\.\d+\.\d+(?:-[\w-]+(?:\.[\w-]+)*)?(?:\+[\w-]+(?:\.[\w-]+)*)?$/;
const CONFIGURATION = v.looseObject({ version: v.pipe(v.string(), v.regex(VERSION)) });

/** What decides the contents of `dist/TARGET`, beside the toolchain and the files that {@linkcode listExtraFiles} lists. */
const SOURCES = ["build", "hooks", "lib", "cli.ts", "deno.json", "deno.lock"] as const;

/**
 * Reads the version of the product from `deno.json`, the only file that contains it.
 *
 * @throws {BuildError} When it has none, or one that is not a semantic version.
 */
export async function readVersion(root: string): Promise<string> {
  try {
    return v.parse(CONFIGURATION, JSON.parse(await Deno.readTextFile(`${root}/deno.json`))).version;
  } catch (error) {
    throw new BuildError(
      `Cannot read the version from ${root}/deno.json: ${messageOf(error)}`,
      'write a semantic version, such as "version": "1.2.3" or "1.2.3-rc.1"',
      { cause: error },
    );
  }
}

/**
 * Lists the binaries of the checkout: one for each file in `hooks/`, by name, then the admin command.
 *
 * @throws {BuildError} When there are no sources.
 */
export async function listBinaries(root: string): Promise<readonly Binary[]> {
  const names = (await filesBelow(root, "hooks")).flatMap((path) => path.match(/^hooks\/([^/]+)\.ts$/)?.[1] ?? []);
  const hooks = names.map((name): Binary => ({
    name,
    kind: "hook",
    entry: `hooks/${name}.ts`,
    output: `hooks/${name}`,
  }));
  const hasAdmin = (await filesBelow(root, ADMIN.entry)).length > 0;
  if (hooks.length === 0 && !hasAdmin) {
    throw new BuildError(
      `Cannot build: ${root} has neither hooks/*.ts nor cli.ts`,
      "run this in a checkout of virt-hooks",
    );
  }
  return hasAdmin ? [...hooks, ADMIN] : hooks;
}

/** Lists the files that are copied beside the binaries: `install.sh` and the rules files in `examples/`. */
export async function listExtraFiles(root: string): Promise<readonly string[]> {
  const examples = (await filesBelow(root, "examples")).filter((path) => /^examples\/[^/]+\.toml$/.test(path));
  return [...await filesBelow(root, "install.sh"), ...examples];
}

/** Computes one hash over the names and contents of all sources. */
export async function hashSources(root: string): Promise<string> {
  const paths = await Promise.all(SOURCES.map((path) => filesBelow(root, path)));
  const lines: string[] = [];
  for (const path of [...paths.flat(), ...await listExtraFiles(root)]) {
    lines.push(`${path} ${await sha256Hex(await Deno.readFile(`${root}/${path}`))}\n`);
  }
  return await sha256Hex(lines.join(""));
}

/** Lists a file, or the files at any depth of a folder, sorted; nothing when there is no such path. */
async function filesBelow(root: string, path: string): Promise<readonly string[]> {
  try {
    if (!(await Deno.stat(`${root}/${path}`)).isDirectory) return [path];
    const names = (await Array.fromAsync(Deno.readDir(`${root}/${path}`))).map(({ name }) => name).toSorted();
    return (await Promise.all(names.map((name) => filesBelow(root, `${path}/${name}`)))).flat();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
