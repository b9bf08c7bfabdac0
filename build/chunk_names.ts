/**
 * Names for the chunks of a bundle that depend on what is in them.
 *
 * The bundler puts a hash into each name, and into the hash the way from the checkout to Deno's cache of packages. So the
 * same sources in another folder, or on a host with another cache, would give other names, and another binary.
 * @module
 */
import type { Bundle, BundleFile } from "./bundle.ts";
import { BuildError } from "./build_error.ts";
import { sha256Hex } from "./checksum.ts";

const CHUNK_NAME = /^(?<stem>[\w.-]+)-[0-9A-Z]{8}\.js$/;

interface Chunk {
  readonly file: BundleFile;
  readonly stem: string;
  /** A hash over its text, without the names of other chunks. */
  readonly hash: string;
}

/**
 * Renames the chunks of a bundle to `STEM-NUMBER.js`, numbered in the order of their contents.
 *
 * @throws {BuildError} When a file is not named as chunks are, or two chunks cannot be told apart.
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
    `Cannot use the bundle's file ${name}: chunks are named in another way`,
    "build with the Deno that README names",
  );
}

function replaceNames(text: string, names: ReadonlyMap<string, string>): string {
  return [...names].reduce((changed, [from, to]) => changed.replaceAll(`./${from}`, () => `./${to}`), text);
}
