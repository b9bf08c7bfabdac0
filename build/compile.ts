/**
 * Turns a bundle into a binary with `deno compile`.
 * @module
 */
import { BuildError } from "./build_error.ts";
import type { Bundle } from "./bundle.ts";
import type { Denort } from "./denort/find.ts";
import { grantsOf } from "./permissions.ts";
import type { Binary } from "./project.ts";
import { denoEnvironment, denoErrorLine, runProgram } from "./subprocess.ts";
import type { Target } from "./target.ts";

/** Options for {@linkcode compileBinary}. */
export interface CompileOptions {
  readonly binary: Binary;
  readonly bundle: Bundle;
  /** The folder of the bundle's files. */
  readonly folder: string;
  readonly output: string;
  readonly target: Target;
  readonly denort: Denort;
  /** The modification time of every embedded file, in seconds. */
  readonly sourceDateEpoch: number;
}

const COMPILE_TIMEOUT_MS = 300_000;

/** 2026-01-01T00:00:00Z, when `SOURCE_DATE_EPOCH` is not set. */
const DEFAULT_EPOCH = 1_767_225_600;

/**
 * Parses `SOURCE_DATE_EPOCH` (https://reproducible-builds.org/specs/source-date-epoch/).
 *
 * @throws {BuildError} When it is not a number of seconds.
 */
export function parseSourceDateEpoch(text: string | undefined): number {
  if (text === undefined || text === "") return DEFAULT_EPOCH;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new BuildError(
    `Cannot use SOURCE_DATE_EPOCH: it is "${text}", not a number of seconds`,
    "set it to whole seconds since 1970, or unset it",
  );
}

/** Returns the flags that decide what a binary is, apart from its code. */
export function compileFlags(binary: Binary, denoVersion: string): readonly string[] {
  const { permissions, v8Flags } = grantsOf(binary.name);
  return [
    // The bundle is complete: Deno reads no configuration and no package, and fetches nothing.
    ...["--no-check", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"],
    // The code cache is a file in /tmp: any local user could create it, and root would run it. Without a prompt, a
    // program that lacks a permission fails instead of asking on the terminal.
    ...["--no-code-cache", "--no-prompt"],
    ...permissions,
    `--v8-flags=${v8Flags.join(",")}`,
    // Since 2.9 Deno embeds a name, by default derived from the path of the output.
    ...(isAtLeast(denoVersion, [2, 9]) ? ["--app-name", binary.name] : []),
  ];
}

/**
 * Compiles a bundle.
 *
 * @throws {BuildError} When Deno fails.
 */
export async function compileBinary(options: CompileOptions): Promise<void> {
  const { binary, bundle, folder, denort } = options;
  for (const { name } of bundle.files) {
    await Deno.utime(`${folder}/${name}`, options.sourceDateEpoch, options.sourceDateEpoch);
  }
  const { code, timedOut, stderr } = await runProgram(Deno.execPath(), {
    args: [
      // Deno embeds `--quiet` too: the runtime then prints errors only.
      ...["compile", "--quiet", ...compileFlags(binary, Deno.version.deno)],
      ...["--target", options.target, "--output", options.output],
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
    `Cannot compile ${binary.name} for ${options.target}: ${reason}`,
    "check the space left on this disk, and try another denort with --denort FILE",
  );
}

/** Whether a version such as `2.9.6` is at least `wanted`. */
export function isAtLeast(version: string, wanted: readonly [major: number, minor: number]): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}
