/**
 * `dist/TARGET`, all that a hypervisor needs: the binaries, the installer, example rules, the version, and the checksums
 * of everything. The build writes a stage folder beside it and renames that, so a failed build leaves the previous
 * result unchanged.
 * @module
 */
import { BuildError, messageOf } from "./build_error.ts";
import { sha256OfFile } from "./checksum.ts";

/** The paths that the build of one target writes. */
export interface OutputPaths {
  /** `dist/TARGET`. */
  readonly folder: string;
  /** The folder that becomes `dist/TARGET`. */
  readonly stage: string;
  /** Bundles, before they are compiled. */
  readonly work: string;
  /** See {@linkcode isUpToDate}. */
  readonly stamp: string;
}

const CHECKSUMS_FILE = "SHA256SUMS";
const DISCARDED_SUFFIX = ".discarded";

/** Returns the paths for a target below the folder `out`. */
export function outputPaths(out: string, target: string): OutputPaths {
  return {
    folder: `${out}/${target}`,
    stage: `${out}/.${target}.stage`,
    work: `${out}/.${target}.work`,
    stamp: `${out}/.${target}.stamp`,
  };
}

/**
 * Runs `work` while no other build writes below `out`, and calls `onWait` when it must wait for another build.
 *
 * @throws {BuildError} When `out` cannot be written.
 */
export async function withOutputLock<T>(out: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  // The kernel releases the lock when the process ends; the empty file stays.
  using file = await openLock(out);
  if (!await file.tryLock(true)) {
    onWait();
    await file.lock(true);
  }
  return await work();
}

/** Creates the stage and the work folder, both empty. */
export async function openStage(paths: OutputPaths): Promise<void> {
  await closeStage(paths);
  await Deno.mkdir(`${paths.stage}/hooks`, { recursive: true });
  await Deno.mkdir(paths.work, { recursive: true });
}

/** Removes the temporary folders of a build. */
export async function closeStage(paths: OutputPaths): Promise<void> {
  for (const path of [paths.stage, paths.work, paths.folder + DISCARDED_SUFFIX]) await removeAll(path);
}

/** Copies a file to the stage, with a mode that does not depend on the checkout. */
export async function copyToStage(root: string, path: string, { stage }: OutputPaths): Promise<void> {
  const to = `${stage}/${path}`;
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await Deno.copyFile(`${root}/${path}`, to);
  await Deno.chmod(to, path.endsWith(".sh") ? 0o755 : 0o644);
}

/** Returns the text of `VERSION`: the version alone in the first line, then what it was built with and for. */
export function versionText(version: string, target: string): string {
  return `${version}\ndeno ${Deno.version.deno}\ntarget ${target}\n`;
}

/** Returns the text of `SHA256SUMS`, as `sha256sum -c` reads it, for files below `folder`. */
export async function checksumsText(folder: string, files: readonly string[]): Promise<string> {
  let text = "";
  for (const path of files.toSorted()) text += `${await sha256OfFile(`${folder}/${path}`) ?? "missing"}  ${path}\n`;
  return text;
}

/** Completes the stage with the checksums of `files`, and puts it in place of the previous result. */
export async function publishStage(
  paths: OutputPaths,
  { files, inputs }: { readonly files: readonly string[]; readonly inputs: string },
): Promise<void> {
  const checksums = await checksumsText(paths.stage, files);
  await Deno.writeTextFile(`${paths.stage}/${CHECKSUMS_FILE}`, checksums);
  // Without a stamp the next build is a full one, should this one be killed half-way.
  await removeAll(paths.stamp);
  const discarded = paths.folder + DISCARDED_SUFFIX;
  try {
    await Deno.rename(paths.folder, discarded);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.rename(paths.stage, paths.folder);
  await Deno.writeTextFile(paths.stamp, stampText(inputs, checksums));
}

/**
 * Whether the previous build had the same inputs, and all of its files are still what it wrote. `inputs` is a hash of the
 * sources and the toolchain.
 */
export async function isUpToDate({ folder, stamp }: OutputPaths, inputs: string): Promise<boolean> {
  const listed = await readText(`${folder}/${CHECKSUMS_FILE}`);
  if (await readText(stamp) !== stampText(inputs, listed)) return false;
  const files = listed.split("\n").flatMap((line) => line.match(/^\S+ {2}(.+)$/)?.[1] ?? []);
  return await checksumsText(folder, files) === listed;
}

function stampText(inputs: string, checksums: string): string {
  return `${inputs}\n${checksums}`;
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function openLock(out: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(out, { recursive: true });
    return await Deno.open(`${out}/.lock`, { create: true, write: true });
  } catch (error) {
    throw new BuildError(`Cannot write to ${out}: ${messageOf(error)}`, "name another folder with --out DIR", {
      cause: error,
    });
  }
}

async function removeAll(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
