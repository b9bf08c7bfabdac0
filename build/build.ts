/**
 * The build, from sources to `dist/TARGET`: find denort, see what changed, bundle, compile, inspect, start, and only
 * when all is well put the result in place of the last one.
 * @module
 */
import {
  type Checksums,
  CHECKSUMS_FILE,
  checksumsOf,
  checksumsText,
  copyExtraFile,
  type ExtraFile,
  listExtraFiles,
  sameChecksums,
  versionText,
} from "./archive.ts";
import { type Binary, listBinaries } from "./binaries.ts";
import { type Bundle, bundleBinary } from "./bundle.ts";
import { mapPooled } from "./pool.ts";
import { parseSourceDateEpoch } from "./compile.ts";
import { type DenortEvent, type DenortOrigin, findDenort } from "./denort.ts";
import { type BinaryStep, bundleFolder, makeBinary, type ReadyBinary } from "./make_binary.ts";
import {
  carryOver,
  closeStage,
  openStage,
  type OutputPlaces,
  placesFor,
  publishStage,
  withOutputLock,
} from "./output.ts";
import { readVersion, selectBinaries } from "./project.ts";
import { hashBuildRoom, hashSources, readStamp, type Stamp, type Toolchain } from "./stamp.ts";
import { findEmulation } from "./start_check.ts";
import type { Target } from "./target.ts";

/** What to build. */
export interface BuildOptions {
  /** The checkout, as an absolute path. */
  readonly root: string;
  readonly targets: readonly Target[];
  /** Where `TARGET/` goes, as an absolute path; `dist` in the checkout by default. */
  readonly out?: string | undefined;
  /** A denort of the user's, for all targets. */
  readonly denort?: string | undefined;
  /** Names of the binaries to build; all by default. */
  readonly only?: readonly string[] | undefined;
  readonly onProgress?: ((event: BuildEvent) => void) | undefined;
}

/** What a build tells while it works. Events of a target come between its `target` and its `finished`. */
export type BuildEvent =
  | { readonly kind: "waiting"; readonly out: string }
  | { readonly kind: "target"; readonly target: Target; readonly version: string; readonly names: readonly string[] }
  | DenortEvent
  | { readonly kind: "denort"; readonly origin: DenortOrigin | "kept-by-deno"; readonly path: string | undefined }
  /** What is built here cannot be started here. */
  | { readonly kind: "not-started"; readonly why: string }
  | { readonly kind: "step"; readonly name: string; readonly step: BinaryStep }
  | { readonly kind: "binary" } & BuiltBinary
  | { readonly kind: "finished" } & BuiltTarget;

/** A binary that stands in `dist`. */
export interface BuiltBinary {
  readonly name: string;
  readonly sizeBytes: number;
  /** Our own code in it. */
  readonly bundleBytes: number;
  /** The part of our code that is read at every start. */
  readonly startBytes: number;
  /** It would have come out the same, so it was not compiled again. */
  readonly reused: boolean;
}

/** A target that is built. */
export interface BuiltTarget {
  readonly target: Target;
  /** `dist/TARGET`. */
  readonly folder: string;
  /** Nothing had changed, and every file still has its checksum. */
  readonly upToDate: boolean;
  readonly durationMs: number;
}

const BINARIES_AT_ONCE = 2;

/** What stays the same while one target is built. */
interface Job {
  readonly options: BuildOptions;
  readonly selected: readonly Binary[];
  readonly places: OutputPlaces;
  readonly version: string;
  readonly extras: readonly ExtraFile[];
  readonly toolchain: Toolchain;
  readonly last: Stamp;
  readonly sources: string;
  readonly report: (event: BuildEvent) => void;
}

/**
 * Builds every target that is asked for, one after the other.
 *
 * @throws {BuildError} When a target cannot be built; what was built before stays as it was.
 * @throws {UsageError} When `only` names what is no binary.
 */
export async function build(options: BuildOptions): Promise<readonly BuiltTarget[]> {
  const out = options.out ?? `${options.root}/dist`;
  const report = options.onProgress ?? (() => {});
  const built: BuiltTarget[] = [];
  for (const target of options.targets) {
    built.push(
      await withOutputLock(out, () => report({ kind: "waiting", out }), () => buildTarget(target, out, options)),
    );
  }
  return built;
}

async function buildTarget(target: Target, out: string, options: BuildOptions): Promise<BuiltTarget> {
  const startedMs = performance.now();
  const job = await prepare(target, out, options);
  const upToDate = await isUpToDate(job);
  if (!upToDate) await rebuild(job);
  const durationMs = performance.now() - startedMs;
  const built = { target, folder: job.places.folder, upToDate, durationMs };
  job.report({ kind: "finished", ...built });
  return built;
}

async function prepare(target: Target, out: string, options: BuildOptions): Promise<Job> {
  const { root, onProgress: report = () => {} } = options;
  const selected = await selectBinaries(root, options.only ?? []);
  const version = await readVersion(root);
  report({ kind: "target", target, version, names: selected.map(({ name }) => name) });
  const sourceDateEpoch = parseSourceDateEpoch(Deno.env.get("SOURCE_DATE_EPOCH"));
  const denort = await findDenort({ target, given: options.denort, onProgress: report });
  report(
    denort.kind === "file"
      ? { kind: "denort", origin: denort.origin, path: denort.path }
      : { kind: "denort", origin: "kept-by-deno", path: undefined },
  );
  const emulation = await findEmulation(target);
  if (emulation.kind === "missing") report({ kind: "not-started", why: emulation.why });
  const toolchain = { target, denort, sourceDateEpoch, emulation };
  const extras = await listExtraFiles(root);
  const places = placesFor(out, target);
  return {
    ...{ options, selected, places, version, extras, toolchain, report },
    last: await readStamp(places.stamp),
    sources: await hashSources(root, extras.map(({ path }) => path), toolchain),
  };
}

async function isUpToDate({ selected, last, sources, places }: Job): Promise<boolean> {
  if (selected.some(({ name }) => last.binaries[name]?.sources !== sources)) return false;
  const now = await checksumsOf(places.folder, Object.keys(last.checksums));
  const list = await Deno.readTextFile(`${places.folder}/${CHECKSUMS_FILE}`).catch(() => "");
  return sameChecksums(now, last.checksums) && list === checksumsText(last.checksums);
}

async function rebuild(job: Job): Promise<void> {
  const { options, selected, places, version, extras, toolchain, last, sources, report } = job;
  await openStage(places);
  try {
    const buildRoom = await hashBuildRoom(options.root);
    const bundles = await bundleAll(job);
    const ready = await mapPooled(bundles, BINARIES_AT_ONCE, async ({ binary, bundle }) => {
      const made = await makeBinary({
        ...{ root: options.root, binary, bundle, version, toolchain, buildRoom, places, last },
        onStep: (step) => report({ kind: "step", name: binary.name, step }),
      });
      report({ kind: "binary", ...told(made) });
      return made;
    });
    const kept = await keepOthers(job);
    for (const file of extras) await copyExtraFile(options.root, file, places.stage);
    await Deno.writeTextFile(`${places.stage}/VERSION`, versionText(version, toolchain.target));
    const outputs = [...selected, ...kept].map(({ output }) => output);
    const checksums = await checksumsOf(places.stage, [...outputs, ...extras.map(({ path }) => path), "VERSION"]);
    await publishStage(places, checksums, stampOf(ready, kept, { checksums, last, sources }));
  } finally {
    await closeStage(places);
  }
}

/** One after the other: Deno's bundler installs itself when it is first used, and two at once trip over each other. */
async function bundleAll(
  { options, selected, version, places, report }: Job,
): Promise<readonly { readonly binary: Binary; readonly bundle: Bundle }[]> {
  const bundles: { readonly binary: Binary; readonly bundle: Bundle }[] = [];
  for (const binary of selected) {
    report({ kind: "step", name: binary.name, step: "bundle" });
    const bundle = await bundleBinary({ root: options.root, binary, version, folder: bundleFolder(places, binary) });
    bundles.push({ binary, bundle });
  }
  return bundles;
}

/** With `--only`, the other binaries of the last build stay, as far as they are still what was built. */
async function keepOthers({ options, selected, places, last }: Job): Promise<readonly Binary[]> {
  const names = new Set(selected.map(({ name }) => name));
  const others = (await listBinaries(options.root)).filter(({ name }) => !names.has(name));
  const found = await checksumsOf(places.folder, others.map(({ output }) => output));
  const kept = others.filter(({ name, output }) => {
    return last.binaries[name] !== undefined && found[output] !== undefined && found[output] === last.checksums[output];
  });
  for (const { output } of kept) await carryOver(places, output);
  return kept;
}

function stampOf(
  ready: readonly ReadyBinary[],
  kept: readonly Binary[],
  { checksums, last, sources }: {
    readonly checksums: Checksums;
    readonly last: Stamp;
    readonly sources: string;
  },
): Stamp {
  const made = ready.map(({ binary, key }) => [binary.name, { sources, key }] as const);
  const old = kept.flatMap(({ name }) => {
    const entry = last.binaries[name];
    return entry === undefined ? [] : [[name, entry] as const];
  });
  return { binaries: Object.fromEntries([...made, ...old]), checksums };
}

function told({ binary, sizeBytes, bundleBytes, startBytes, reused }: ReadyBinary): BuiltBinary {
  return { name: binary.name, sizeBytes, bundleBytes, startBytes, reused };
}
