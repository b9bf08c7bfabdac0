/**
 * From a door to one small JavaScript file: everything it needs, tree-shaken and minified, packages included.
 *
 * Code behind a literal `import()` becomes a chunk beside it, loaded only when needed. A compiled program looks for a
 * module that is *not* embedded in a folder of `/tmp` that anybody can make, and runs it; so a bundle may name
 * nothing that is not one of its own files, and {@linkcode inspectBinary} checks that all of these are embedded.
 *
 * Names are not kept (`--keep-names`): nothing tells errors apart by the name of a class or a function, and keeping
 * them costs a call for each function at every start.
 * @module
 */
import type { Binary } from "./binaries.ts";
import { BuildError } from "./build_error.ts";
import { renameChunks } from "./chunk_names.ts";
import { denoEnvironment, denoErrorLine, runProgram } from "./subprocess.ts";

/** The files of a bundle. */
export interface Bundle {
  /** The file to start with. */
  readonly entry: string;
  readonly files: readonly BundleFile[];
}

/** One file of a bundle, by its name in the bundle's folder. */
export interface BundleFile {
  readonly name: string;
  readonly text: string;
}

/** What the sources have for a version: `lib/app/version.ts`. */
const SOURCE_VERSION = /0\.0\.0-source/g;

const BUNDLE_TIMEOUT_MS = 300_000;

/** Ways to load or run code that is not in the bundle. */
const FORBIDDEN = [
  { pattern: /\bWorker\b/, what: "a Worker" },
  { pattern: /\bcreateRequire\b/, what: "createRequire" },
  { pattern: /\bfrom\s*["'](?:npm|jsr|https?|node):/, what: "an import of a package or of node:*" },
  { pattern: /\bimport\s*["'](?:npm|jsr|https?|node):/, what: "an import of a package or of node:*" },
] as const;

/** What a bundle is made from, and where. */
export interface BundleOrder {
  readonly root: string;
  readonly binary: Binary;
  /** The version that the program tells. */
  readonly version: string;
  /** A new folder for the files. */
  readonly folder: string;
}

/**
 * Bundles a binary's source.
 *
 * @throws {BuildError} When Deno cannot, or the bundle could load code that is not in it.
 */
export async function bundleBinary({ root, binary, version, folder }: BundleOrder): Promise<Bundle> {
  const raw = `${folder}.raw`;
  const hasLock = await Deno.stat(`${root}/deno.lock`).then(() => true, () => false);
  const { code, timedOut, stderr } = await runProgram(Deno.execPath(), {
    args: [
      "bundle",
      ...["--quiet", "--minify", "--code-splitting", "--outdir", raw],
      ...(hasLock ? ["--lock=deno.lock", "--frozen"] : []),
      binary.entry,
    ],
    folder: root,
    environment: denoEnvironment("network"),
    timeoutMs: BUNDLE_TIMEOUT_MS,
  });
  if (code !== 0) {
    const reason = timedOut ? `no end after ${BUNDLE_TIMEOUT_MS / 1000} s` : denoErrorLine(stderr);
    throw new BuildError(`Cannot bundle ${binary.entry}: ${reason}`, `"deno check ${binary.entry}" tells more`);
  }
  const bundle = await renameChunks(withVersion(await readBundle(raw, binary), version));
  const mistakes = bundleMistakes(bundle);
  if (mistakes.length === 0) {
    await writeBundle(folder, bundle);
    return bundle;
  }
  throw new BuildError(
    `Cannot build ${binary.name}: its bundle has ${mistakes.join(", and ")}`,
    "import statically, or with a literal import() of a file of ours",
  );
}

/** A bundle that tells this version in the place of the sources' own. */
export function withVersion({ entry, files }: Bundle, version: string): Bundle {
  return { entry, files: files.map(({ name, text }) => ({ name, text: text.replace(SOURCE_VERSION, () => version) })) };
}

/** How much of a bundle is read at every start: its entry and what that imports statically, in bytes. */
export function startBytes(bundle: Bundle): number {
  return bytesOf(filesFrom(bundle, bundle.entry));
}

/** A file of a bundle, with all that is loaded with it: what it imports statically, at any depth. */
export function filesFrom(bundle: Bundle, entry: string): readonly BundleFile[] {
  const texts = new Map(bundle.files.map(({ name, text }) => [name, text]));
  const reached = new Set([entry]);
  for (const name of reached) {
    for (const [, next = ""] of (texts.get(name) ?? "").matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([\w.-]+)["']/g)) {
      reached.add(next);
    }
  }
  return bundle.files.filter(({ name }) => reached.has(name));
}

/** The size of a bundle with all its chunks. */
export function bundleBytes(bundle: Bundle): number {
  return bytesOf(bundle.files);
}

/** Says what in a bundle could load code from outside it. */
export function bundleMistakes(bundle: Bundle): readonly string[] {
  const names = new Set(bundle.files.map(({ name }) => name));
  return bundle.files.flatMap(({ name, text }) => [
    ...FORBIDDEN.filter(({ pattern }) => pattern.test(text)).map(({ what }) => `${what} in ${name}`),
    ...dynamicImports(text).filter((target) => target === undefined || !names.has(target)).map((target) =>
      target === undefined ? `an import() of a computed name in ${name}` : `an import() of "${target}" in ${name}`
    ),
  ]);
}

/**
 * The targets of every `import(…)`: the name of a file beside it, or `undefined` for whatever else. The text is
 * minified, so what looks like one in a string is taken for one: the build then fails, which is the safe side.
 */
function dynamicImports(text: string): readonly (string | undefined)[] {
  return [...text.matchAll(/\bimport\s*\(/g)].map(({ index }) => {
    return text.slice(index).match(/^import\s*\(\s*(["'])\.\/([\w.-]+)\1\s*\)/)?.[2];
  });
}

function bytesOf(files: readonly BundleFile[]): number {
  return files.reduce((sum, { text }) => sum + new TextEncoder().encode(text).length, 0);
}

async function readBundle(folder: string, binary: Binary): Promise<Bundle> {
  const files: BundleFile[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    files.push({ name, text: await Deno.readTextFile(`${folder}/${name}`) });
  }
  const entry = (binary.entry.split("/").at(-1) ?? "").replace(/\.ts$/, ".js");
  return { entry, files };
}

async function writeBundle(folder: string, bundle: Bundle): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const { name, text } of bundle.files) await Deno.writeTextFile(`${folder}/${name}`, text);
}
