/**
 * Where a build writes: everything is made in a stage beside `dist/TARGET` and takes its place by rename, so that a build
 * that fails leaves the last one as it was.
 * @module
 */
import { type Checksums, CHECKSUMS_FILE, checksumsText } from "./archive.ts";
import { BuildError, messageOf } from "./build_error.ts";
import type { Stamp } from "./stamp.ts";

/** The places of one target's build. */
export interface OutputPlaces {
  /** `dist/TARGET`. */
  readonly folder: string;
  /** What becomes `dist/TARGET`. */
  readonly stage: string;
  /** Bundles on their way to a binary. */
  readonly work: string;
  readonly stamp: string;
}

const DISCARDED_SUFFIX = ".discarded";

/** The places for a target below the folder `out`. */
export function placesFor(out: string, target: string): OutputPlaces {
  return {
    folder: `${out}/${target}`,
    stage: `${out}/.${target}.stage`,
    work: `${out}/.${target}.work`,
    stamp: `${out}/.${target}.stamp.json`,
  };
}

/**
 * Runs `work` while no other build writes below `out`. `onWait` is called when one does.
 *
 * @throws {BuildError} When `out` cannot be written.
 */
export async function withOutputLock<T>(out: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  // The lock goes with the process, however it ends; the empty file stays.
  using file = await openLock(out);
  if (!await file.tryLock(true)) {
    onWait();
    await file.lock(true);
  }
  return await work();
}

/** Makes the stage and the folder for work, both empty. */
export async function openStage(places: OutputPlaces): Promise<void> {
  await closeStage(places);
  await Deno.mkdir(`${places.stage}/hooks`, { recursive: true });
  await Deno.mkdir(places.work, { recursive: true });
}

/** Removes what is left of a build on its way. */
export async function closeStage(places: OutputPlaces): Promise<void> {
  for (const path of [places.stage, places.work, places.folder + DISCARDED_SUFFIX]) await removeAll(path);
}

/** Takes a file of the last build over into the stage. */
export async function carryOver(places: OutputPlaces, path: string): Promise<void> {
  const from = `${places.folder}/${path}`;
  const to = `${places.stage}/${path}`;
  try {
    await Deno.link(from, to);
  } catch {
    // Not every file system has hard links, and the system may refuse one to another user's file.
    await Deno.copyFile(from, to);
  }
}

/** Finishes the stage with its checksums and puts it in place. */
export async function publishStage(places: OutputPlaces, checksums: Checksums, stamp: Stamp): Promise<void> {
  await Deno.writeTextFile(`${places.stage}/${CHECKSUMS_FILE}`, checksumsText(checksums));
  // Without a stamp nothing is taken for done, should this end half-way.
  await removeAll(places.stamp);
  const discarded = places.folder + DISCARDED_SUFFIX;
  try {
    await Deno.rename(places.folder, discarded);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.rename(places.stage, places.folder);
  await Deno.writeTextFile(places.stamp, JSON.stringify(stamp) + "\n");
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
