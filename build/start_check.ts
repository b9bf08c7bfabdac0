/**
 * Starts a finished binary as libvirt would, with an empty environment, and checks its answer.
 * @module
 */
import { BuildError, messageOf } from "./build_error.ts";
import type { Binary } from "./project.ts";
import { findOnPath, runProgram } from "./subprocess.ts";
import { type Target, TARGETS } from "./target.ts";

/** How programs of a target run on this machine. */
export type Emulation =
  /** The command to prepend, if any. */
  | { readonly kind: "ready"; readonly command: readonly string[] }
  | { readonly kind: "missing"; readonly why: string };

const NATIVE_TIMEOUT_MS = 20_000;
const EMULATED_TIMEOUT_MS = 120_000;

/** The call of each kind of binary, and the answer that it must give. */
const CALLS = {
  hook: { args: [], code: 2, stream: "stderr" },
  admin: { args: ["version"], code: 0, stream: "stdout" },
} as const satisfies Readonly<
  Record<Binary["kind"], { readonly args: readonly string[]; readonly code: number; readonly stream: string }>
>;

/** Options for {@linkcode startBinary}. */
export interface StartOptions {
  readonly binary: Binary;
  /** From {@linkcode Emulation}. */
  readonly command: readonly string[];
  /** The version that the answer must contain. */
  readonly version: string;
}

/**
 * Starts a binary. A hook without arguments prints its usage and exits with 2; the admin command prints its version. Both
 * print the version in `deno.json`.
 *
 * @throws {BuildError} When the binary gives another answer.
 */
export async function startBinary(path: string, { binary, command, version }: StartOptions): Promise<void> {
  const { args, code: wantedCode, stream } = CALLS[binary.kind];
  const [program = path, ...before] = [...command, path];
  const timeoutMs = command.length === 0 ? NATIVE_TIMEOUT_MS : EMULATED_TIMEOUT_MS;
  const result = await runProgram(program, { args: [...before, ...args], folder: "/", environment: {}, timeoutMs })
    .catch((error) => {
      throw refusal(binary, `it cannot be started: ${messageOf(error)}`);
    });
  const stdout = new TextDecoder().decode(result.stdout);
  if (result.timedOut) throw refusal(binary, `it did not end within ${timeoutMs / 1000} s`);
  const answer = stream === "stdout" ? stdout : result.stderr;
  const isExpected = namesVersion(answer, version) && (stream === "stdout" || stdout === "");
  if (result.code === wantedCode && isExpected) return;
  const said = (result.stderr + stdout).trim().split("\n")[0] ?? "";
  throw refusal(
    binary,
    `started with ${JSON.stringify(args)} it exits ${result.code} and says ${JSON.stringify(said)}`,
  );
}

/** Whether an answer contains exactly this version, and not a longer one such as `1.2.30` or `1.2.3-rc.1`. */
export function namesVersion(answer: string, version: string): boolean {
  const [, ...after] = answer.split(`virt-hooks ${version}`);
  return after.some((text) => !/^[\w.+-]/.test(text));
}

/** Finds out how programs of `target` run on this machine. */
export async function findEmulation(target: Target): Promise<Emulation> {
  if (Deno.build.target === target) return { kind: "ready", command: [] };
  const { emulator, sysroot, emulatorPackages } = TARGETS[target];
  const path = await findOnPath(emulator);
  const hasSysroot = await Deno.stat(sysroot).then(() => true, () => false);
  if (path !== undefined && hasSysroot) return { kind: "ready", command: [path, "-L", sysroot] };
  const missing = path === undefined ? emulator : sysroot;
  return {
    kind: "missing",
    why: `${target} programs cannot run on this machine: ${missing} is missing (Debian: ${emulatorPackages})`,
  };
}

function refusal(binary: Binary, what: string): BuildError {
  return new BuildError(
    `Cannot accept the binary ${binary.name}: ${what}`,
    binary.kind === "hook"
      ? "a hook without arguments prints its usage, with the version in deno.json, to stderr and exits 2"
      : "virt-hooks version prints the version in deno.json and exits 0",
  );
}
