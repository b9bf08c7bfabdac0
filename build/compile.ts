/**
 * From a bundle to a binary: the one call of `deno compile`.
 * @module
 */
import type { Binary } from "./binaries.ts";
import { BuildError } from "./build_error.ts";
import type { Bundle } from "./bundle.ts";
import type { Denort } from "./denort.ts";
import { grantsOf } from "./permissions.ts";
import { denoEnvironment, denoErrorLine, runProgram } from "./subprocess.ts";
import type { Target } from "./target.ts";

/** What to compile, and with what. */
export interface CompileOrder {
  readonly binary: Binary;
  readonly bundle: Bundle;
  /** Where the bundle's files are. */
  readonly folder: string;
  readonly output: string;
  readonly target: Target;
  readonly denort: Denort;
  /** The time every embedded file bears, in seconds. */
  readonly sourceDateEpoch: number;
}

const COMPILE_TIMEOUT_MS = 300_000;

/** 2026-01-01T00:00:00Z: what embedded files bear when `SOURCE_DATE_EPOCH` says nothing. */
const DEFAULT_EPOCH = 1_767_225_600;

/**
 * Reads `SOURCE_DATE_EPOCH`, the time that reproducible builds agree on.
 *
 * @throws {BuildError} When it is no number of seconds.
 */
export function parseSourceDateEpoch(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_EPOCH;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new BuildError(
    `Cannot use SOURCE_DATE_EPOCH: it is "${text}", not a number of seconds`,
    "set it to whole seconds since 1970, or unset it",
  );
}

/** The flags that decide what a binary is, apart from its code. */
export function compileFlags(binary: Binary, denoVersion: string): readonly string[] {
  const { permissions, v8Flags } = grantsOf(binary.name);
  return [
    // The bundle is all there is: no configuration, no package, nothing remote.
    ...["--no-check", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"],
    // The code cache is a file in /tmp that anybody can plant for root to run. Without a prompt a program that lacks a
    // permission fails instead of asking the terminal.
    ...["--no-code-cache", "--no-prompt"],
    ...permissions,
    `--v8-flags=${v8Flags.join(",")}`,
    // From 2.9 on a name is baked in, by default made from where the output is written.
    ...(isAtLeast(denoVersion, [2, 9]) ? ["--app-name", binary.name] : []),
  ];
}

/**
 * Compiles a bundle.
 *
 * @throws {BuildError} When Deno cannot.
 */
export async function compileBinary(order: CompileOrder): Promise<void> {
  const { binary, bundle, folder, denort } = order;
  for (const { name } of bundle.files) {
    await Deno.utime(`${folder}/${name}`, order.sourceDateEpoch, order.sourceDateEpoch);
  }
  const { code, timedOut, stderr } = await runProgram(Deno.execPath(), {
    args: [
      // `--quiet` is baked in too: the runtime itself then says errors only.
      ...["compile", "--quiet", ...compileFlags(binary, Deno.version.deno)],
      ...["--target", order.target, "--output", order.output],
      bundle.entry,
    ],
    folder,
    environment: {
      ...denoEnvironment("no network"),
      ...(denort.kind === "file" ? { DENORT_BIN: denort.path } : {}),
    },
    timeoutMs: COMPILE_TIMEOUT_MS,
  });
  if (code === 0) return;
  const reason = timedOut ? `no end after ${COMPILE_TIMEOUT_MS / 1000} s` : denoErrorLine(stderr);
  throw new BuildError(
    `Cannot compile ${binary.name} for ${order.target}: ${reason}`,
    "check the space left on this disk, and try another denort with --denort FILE",
  );
}

/** True when a version such as `2.9.6` is at least `wanted`. */
export function isAtLeast(version: string, wanted: readonly [major: number, minor: number]): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}
