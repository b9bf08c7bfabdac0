/**
 * What goes beside the binaries, so that `dist/TARGET` is all a hypervisor needs: the installer, example rules, the
 * version, and the checksums of everything.
 * @module
 */
import { sha256OfFile } from "./checksum.ts";
import { mapPooled } from "./pool.ts";

/** A file that is copied as it is. */
export interface ExtraFile {
  /** Below the project's root and below `dist/TARGET` alike. */
  readonly path: string;
  readonly mode: number;
}

/** Checksums by path below `dist/TARGET`. */
export type Checksums = Readonly<Record<string, string>>;

/** The file that holds {@linkcode Checksums}, as `sha256sum -c` reads it. */
export const CHECKSUMS_FILE = "SHA256SUMS";

const HASHED_AT_ONCE = 2;

/** Lists what is copied: `install.sh` and the rules files in `examples/`, as far as they are there. */
export async function listExtraFiles(root: string): Promise<readonly ExtraFile[]> {
  const examples: ExtraFile[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(`${root}/examples`)) {
      if (isFile && name.endsWith(".toml")) examples.push({ path: `examples/${name}`, mode: 0o644 });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const hasInstaller = await Deno.stat(`${root}/install.sh`).then(() => true, () => false);
  return [
    ...(hasInstaller ? [{ path: "install.sh", mode: 0o755 }] : []),
    ...examples.toSorted((a, b) => a.path < b.path ? -1 : 1),
  ];
}

/** Copies a file with a mode of its own, whatever the checkout's was. */
export async function copyExtraFile(root: string, file: ExtraFile, folder: string): Promise<void> {
  const to = `${folder}/${file.path}`;
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(`${root}/${file.path}`, to);
  await Deno.chmod(to, file.mode);
}

/** The text of `VERSION`: the product's version alone in the first line, then what it was built with and for. */
export function versionText(version: string, target: string): string {
  return `${version}\ndeno ${Deno.version.deno}\ntarget ${target}\n`;
}

/** Hashes files below `folder`; one that is missing is left out. */
export async function checksumsOf(folder: string, paths: readonly string[]): Promise<Checksums> {
  const pairs = await mapPooled(paths.toSorted(), HASHED_AT_ONCE, async (path) => {
    return [path, await sha256OfFile(`${folder}/${path}`)] as const;
  });
  return Object.fromEntries(pairs.flatMap(([path, sha256]) => sha256 === undefined ? [] : [[path, sha256] as const]));
}

/** The text of `SHA256SUMS`. */
export function checksumsText(checksums: Checksums): string {
  return Object.entries(checksums).map(([path, sha256]) => `${sha256}  ${path}\n`).join("");
}

/** True when both name the same files with the same contents. */
export function sameChecksums(a: Checksums, b: Checksums): boolean {
  return checksumsText(a) === checksumsText(b);
}
