/**
 * The build, from sources to `dist/TARGET`: find denort, bundle, compile, inspect, start, and publish only when every
 * binary has passed.
 * @module
 */
import {
  closeStage,
  copyToStage,
  isUpToDate,
  openStage,
  type OutputPaths,
  outputPaths,
  publishStage,
  versionText,
  withOutputLock,
} from "./archive.ts";
import { type Bundle, bundleBinary, bundleBytes, startBytes } from "./bundle.ts";
import { sha256Hex } from "./checksum.ts";
import { compileBinary, parseSourceDateEpoch } from "./compile.ts";
import { cacheFolder, type Denort, findDenort } from "./denort/find.ts";
import { inspectBinary } from "./inspect.ts";
import type { BuildEvent, BuiltBinary, BuiltTarget } from "./progress.ts";
import { type Binary, hashSources, listBinaries, listExtraFiles, readVersion } from "./project.ts";
import { type Emulation, findEmulation, startBinary } from "./start_check.ts";
import type { Target } from "./target.ts";

export type { BuildEvent, BuiltBinary, BuiltTarget };

/** Options for {@linkcode build}. */
export interface BuildOptions {
  /** The checkout, as an absolute path. */
  readonly root: string;
  readonly targets: readonly Target[];
  /** The folder of `TARGET/`, as an absolute path; `dist` in the checkout by default. */
  readonly out?: string | undefined;
  /** The denort that the user names, for all targets. */
  readonly denort?: string | undefined;
  readonly onProgress?: ((event: BuildEvent) => void) | undefined;
}

/** What all steps of one target's build need. */
interface BuildContext {
  readonly root: string;
  readonly target: Target;
  readonly version: string;
  readonly paths: OutputPaths;
  readonly denort: Denort;
  /** The modification time of every embedded file, in seconds. */
  readonly sourceDateEpoch: number;
  readonly emulation: Emulation;
  readonly report: (event: BuildEvent) => void;
}

/**
 * Builds every target, one after the other.
 *
 * @throws {BuildError} When a target cannot be built. Its previous result stays unchanged.
 */
export async function build(options: BuildOptions): Promise<readonly BuiltTarget[]> {
  const out = options.out ?? `${options.root}/dist`;
  const built: BuiltTarget[] = [];
  for (const target of options.targets) {
    const onWait = (): void => options.onProgress?.({ kind: "waiting", out });
    built.push(await withOutputLock(out, onWait, () => buildTarget(target, out, options)));
  }
  return built;
}

async function buildTarget(target: Target, out: string, options: BuildOptions): Promise<BuiltTarget> {
  const startedMs = performance.now();
  const { root, denort: given, onProgress: report = () => {} } = options;
  const binaries = await listBinaries(root);
  const version = await readVersion(root);
  report({ kind: "target", target, version, names: binaries.map(({ name }) => name) });
  const sourceDateEpoch = parseSourceDateEpoch(Deno.env.get("SOURCE_DATE_EPOCH"));
  const denort = await findDenort({ target, given, onProgress: report });
  const path = denort.kind === "file" ? denort.path : undefined;
  report({ kind: "denort", origin: denort.kind === "file" ? denort.origin : denort.kind, path });
  const emulation = await findEmulation(target);
  if (emulation.kind === "missing") report({ kind: "not-started", why: emulation.why });
  const paths = outputPaths(out, target);
  const context = { root, target, version, paths, denort, sourceDateEpoch, emulation, report };
  const inputs = await hashInputs(context);
  const upToDate = await isUpToDate(paths, inputs);
  if (!upToDate) await buildAll(binaries, inputs, context);
  const built = { target, folder: paths.folder, upToDate, durationMs: performance.now() - startedMs };
  report({ kind: "finished", ...built });
  return built;
}

/** Hashes everything that decides the result: the sources, and the tools that turn them into binaries. */
async function hashInputs({ root, target, denort, sourceDateEpoch, emulation }: BuildContext): Promise<string> {
  const runtime = denort.kind === "file" ? denort.sha256 : denort.kind;
  const tools = [Deno.version.deno, target, runtime, sourceDateEpoch, emulation.kind];
  return await sha256Hex([await hashSources(root), ...tools].join("\n"));
}

async function buildAll(binaries: readonly Binary[], inputs: string, context: BuildContext): Promise<void> {
  const { root, target, version, paths } = context;
  await openStage(paths);
  try {
    for (const binary of binaries) await buildBinary(binary, context);
    const extras = await listExtraFiles(root);
    for (const path of extras) await copyToStage(root, path, paths);
    await Deno.writeTextFile(`${paths.stage}/VERSION`, versionText(version, target));
    const files = [...binaries.map(({ output }) => output), ...extras, "VERSION"];
    await publishStage(paths, { files, inputs });
  } finally {
    await closeStage(paths);
  }
}

async function buildBinary(binary: Binary, context: BuildContext): Promise<void> {
  const { root, target, version, paths, emulation, report } = context;
  const { name } = binary;
  const folder = `${paths.work}/${name}`;
  const output = `${paths.stage}/${binary.output}`;
  report({ kind: "step", name, step: "bundle" });
  const bundle = await bundleBinary({ root, binary, version, folder });
  report({ kind: "step", name, step: "compile" });
  await compileBinary({ ...context, binary, bundle, folder, output });
  report({ kind: "step", name, step: "inspect" });
  inspectBinary(await Deno.readFile(output), { binary, bundle, target, hostFolders: hostFolders(context) });
  if (emulation.kind === "ready") {
    report({ kind: "step", name, step: "start" });
    await startBinary(output, { binary, command: emulation.command, version });
  }
  await reportBinary(binary, bundle, context);
}

async function reportBinary({ name, output }: Binary, bundle: Bundle, { paths, report }: BuildContext): Promise<void> {
  const { size: sizeBytes } = await Deno.stat(`${paths.stage}/${output}`);
  report({ kind: "binary", name, sizeBytes, bundleBytes: bundleBytes(bundle), startBytes: startBytes(bundle) });
}

/** Folders of the build host whose names must not be in a binary. */
function hostFolders({ root, paths, denort }: BuildContext): readonly string[] {
  const home = Deno.env.get("HOME") ?? "";
  return [
    ...[root, paths.work, paths.stage].map((folder) => `${folder}/`),
    ...(denort.kind === "file" ? [`${cacheFolder()}/`] : []),
    // A home of "/" is no secret, and every path contains it.
    ...(home.length > 1 ? [`${home}/`] : []),
  ];
}
