/**
 * Bundles an entry point with everything it imports, packages included, tree-shaken and minified.
 *
 * Code behind a literal `import()` becomes a chunk of its own, which the program loads only when it needs it. A compiled
 * program looks for a module that is *not* embedded in a folder below `/tmp`, which any local user could create, and runs
 * it. So a bundle may import nothing but its own files, and {@linkcode inspectBinary} checks that all of these are
 * embedded.
 *
 * The names of functions and classes are not kept (`--keep-names`): no code depends on them, and keeping them costs a
 * call for each function at every start.
 * @module
 */
import { BuildError } from "./build_error.ts";
import { sha256Hex } from "./checksum.ts";
import type { Binary } from "./project.ts";
import { denoEnvironment, denoErrorLine, runProgram } from "./subprocess.ts";

/** The files of a bundle. */
export interface Bundle {
  /** The name of the file that the program starts with. */
  readonly entry: string;
  readonly files: readonly BundleFile[];
}

/** One file of a bundle. */
export interface BundleFile {
  readonly name: string;
  readonly text: string;
}

/** The version in the sources (`lib/app/product.ts`), which the build replaces. */
const SOURCE_VERSION = /0\.0\.0-source/g;

const CHUNK_NAME = /^(?<stem>[\w.-]+)-[0-9A-Z]{8}\.js$/;

const BUNDLE_TIMEOUT_MS = 300_000;

/** Ways to load code that is not in the bundle. */
const FORBIDDEN = [
  { pattern: /\bWorker\b/, what: "a Worker" },
  { pattern: /\bcreateRequire\b/, what: "createRequire" },
  { pattern: /\bfrom\s*["'](?:npm|jsr|https?|node):/, what: "an import of a package or of node:*" },
  { pattern: /\bimport\s*["'](?:npm|jsr|https?|node):/, what: "an import of a package or of node:*" },
] as const;

/** Options for {@linkcode bundleBinary}. */
export interface BundleOptions {
  readonly root: string;
  readonly binary: Binary;
  /** The version that the program prints. */
  readonly version: string;
  /** The folder to create for the files. */
  readonly folder: string;
}

/**
 * Bundles the sources of a binary.
 *
 * @throws {BuildError} When Deno fails, or the bundle could load code that is not in it.
 */
export async function bundleBinary({ root, binary, version, folder }: BundleOptions): Promise<Bundle> {
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
    throw new BuildError(`Cannot bundle ${binary.entry}: ${reason}`, `run "deno check ${binary.entry}" for details`);
  }
  const bundle = await renameChunks(withVersion(await readBundle(raw, binary), version));
  const mistakes = bundleMistakes(bundle);
  if (mistakes.length === 0) {
    await writeBundle(folder, bundle);
    return bundle;
  }
  throw new BuildError(
    `Cannot build ${binary.name}: its bundle has ${mistakes.join(", and ")}`,
    "import statically, or with a literal import() of a file in lib/",
  );
}

/** Replaces the version of the sources with that of the product. */
export function withVersion({ entry, files }: Bundle, version: string): Bundle {
  return { entry, files: files.map(({ name, text }) => ({ name, text: text.replace(SOURCE_VERSION, () => version) })) };
}

interface Chunk {
  readonly file: BundleFile;
  readonly stem: string;
  /** A hash of its text, without the names of other chunks. */
  readonly hash: string;
}

/**
 * Renames the chunks of a bundle to `STEM-NUMBER.js`, numbered in the order of their contents.
 *
 * The bundler's own names contain a hash, and the hash depends on the path from the checkout to Deno's cache of packages.
 * With these names a build in another folder or on another host would give another binary.
 *
 * @throws {BuildError} When a file has no chunk name, or two chunks of one stem have the same contents.
 */
export async function renameChunks(bundle: Bundle): Promise<Bundle> {
  const files = bundle.files.filter(({ name }) => name !== bundle.entry);
  const stems = new Map(files.map(({ name }) => [name, stemOf(name)]));
  const chunks = await Promise.all(files.map(async (file): Promise<Chunk> => {
    return { file, stem: stemOf(file.name), hash: await sha256Hex(replaceNames(file.text, stems)) };
  }));
  const names = new Map<string, string>();
  for (const [stem, alike] of Map.groupBy(chunks, ({ stem }) => stem)) {
    if (new Set(alike.map(({ hash }) => hash)).size < alike.length) {
      throw new BuildError(
        `Cannot name the chunks of ${bundle.entry}: two of "${stem}" have the same contents`,
        "import one of them statically",
      );
    }
    const sorted = alike.toSorted((a, b) => a.hash < b.hash ? -1 : 1);
    for (const [index, { file }] of sorted.entries()) names.set(file.name, `${stem}-${index + 1}.js`);
  }
  const renamed = bundle.files.map(({ name, text }) => {
    return { name: names.get(name) ?? name, text: replaceNames(text, names) };
  });
  return { entry: bundle.entry, files: renamed.toSorted((a, b) => a.name < b.name ? -1 : 1) };
}

function stemOf(name: string): string {
  const stem = name.match(CHUNK_NAME)?.groups?.["stem"];
  if (stem !== undefined) return stem;
  throw new BuildError(
    `Cannot use the bundle's file ${name}: it is not named as chunks are`,
    "build with the version of Deno in .deno-version",
  );
}

function replaceNames(text: string, names: ReadonlyMap<string, string>): string {
  return [...names].reduce((changed, [from, to]) => changed.replaceAll(`./${from}`, () => `./${to}`), text);
}

/** The size in bytes of what a program loads at every start: the entry and its static imports, at any depth. */
export function startBytes(bundle: Bundle): number {
  return bytesOf(filesFrom(bundle, bundle.entry));
}

/** Returns a file of a bundle and its static imports, at any depth. */
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

/** The size in bytes of a bundle with all of its chunks. */
export function bundleBytes(bundle: Bundle): number {
  return bytesOf(bundle.files);
}

/** Lists what in a bundle could load code that is not in it. */
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
 * Returns the target of every `import(…)`: the name of a file in the same folder, or `undefined` for anything else. An
 * `import(` inside a string counts too: the build then fails, which is the safe side.
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
