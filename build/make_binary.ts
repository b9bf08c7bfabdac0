/**
 * One binary, from its bundle to a file in the stage that has been inspected and started.
 * @module
 */
import type { Binary } from "./binaries.ts";
import { type Bundle, bundleBytes, startBytes } from "./bundle.ts";
import { sha256OfFile } from "./checksum.ts";
import { compileBinary } from "./compile.ts";
import { cacheFolder } from "./denort.ts";
import { inspectBinary } from "./inspect.ts";
import { carryOver, type OutputPlaces } from "./output.ts";
import { hashBinary, type Stamp, type Toolchain } from "./stamp.ts";
import { startBinary } from "./start_check.ts";

/** The steps a binary goes through. */
export type BinaryStep = "bundle" | "compile" | "inspect" | "start";

/** What a binary is made from. */
export interface BinaryOrder {
  readonly root: string;
  readonly binary: Binary;
  /** Its bundle, whose files are in {@linkcode bundleFolder}. */
  readonly bundle: Bundle;
  readonly version: string;
  readonly toolchain: Toolchain;
  readonly buildRoom: string;
  readonly places: OutputPlaces;
  /** The last build: a binary whose key has not changed is taken over. */
  readonly last: Stamp;
  readonly onStep: (step: BinaryStep) => void;
}

/** A binary that is ready. */
export interface ReadyBinary {
  readonly binary: Binary;
  readonly key: string;
  readonly sizeBytes: number;
  readonly bundleBytes: number;
  readonly startBytes: number;
  /** Taken over from the last build. */
  readonly reused: boolean;
}

/**
 * Makes one binary.
 *
 * @throws {BuildError} When any step fails.
 */
export async function makeBinary(order: BinaryOrder): Promise<ReadyBinary> {
  const { binary, bundle, toolchain, places, onStep } = order;
  const output = `${places.stage}/${binary.output}`;
  const key = await hashBinary(binary, bundle, { toolchain, buildRoom: order.buildRoom });
  const reused = await takeOver(order, key);
  if (!reused) await compileAndCheck();
  return {
    binary,
    key,
    sizeBytes: (await Deno.stat(output)).size,
    bundleBytes: bundleBytes(bundle),
    startBytes: startBytes(bundle),
    reused,
  };

  async function compileAndCheck(): Promise<void> {
    const { target, emulation } = toolchain;
    onStep("compile");
    await compileBinary({ binary, bundle, folder: bundleFolder(places, binary), output, ...toolchain });
    onStep("inspect");
    inspectBinary(await Deno.readFile(output), { binary, bundle, target, hostFolders: hostFolders(order) });
    if (emulation.kind === "missing") return;
    onStep("start");
    await startBinary(output, { binary, command: emulation.command, version: order.version });
  }
}

/** Where the bundle of a binary is. */
export function bundleFolder(places: OutputPlaces, binary: Binary): string {
  return `${places.work}/${binary.name}`;
}

/** Takes a binary over from the last build when it would come out the same; says whether it did. */
async function takeOver({ binary, places, last }: BinaryOrder, key: string): Promise<boolean> {
  if (last.binaries[binary.name]?.key !== key) return false;
  const sha256 = last.checksums[binary.output];
  if (sha256 === undefined || await sha256OfFile(`${places.folder}/${binary.output}`) !== sha256) return false;
  await carryOver(places, binary.output);
  return true;
}

/** Folders of this machine that nobody who has a binary should learn of. */
function hostFolders({ root, places, toolchain }: BinaryOrder): readonly string[] {
  const home = Deno.env.get("HOME") ?? "";
  return [
    ...[root, places.work, places.stage].map((folder) => `${folder}/`),
    ...(toolchain.denort.kind === "file" ? [`${cacheFolder()}/`] : []),
    // A home of "/" is no secret, and stands in every path.
    ...(home.length > 1 ? [`${home}/`] : []),
  ];
}
