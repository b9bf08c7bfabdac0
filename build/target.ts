/**
 * The machines binaries are built for.
 * @module
 */
import { BuildError } from "./build_error.ts";

/** One machine: how its files are recognised, and how they run on another machine. */
export interface TargetFacts {
  /** `e_machine` in the ELF header. */
  readonly elfMachine: number;
  /** Runs this target's programs on a machine of another kind, with the libraries of `sysroot`. */
  readonly emulator: string;
  readonly sysroot: string;
  /** The Debian packages that bring both. */
  readonly emulatorPackages: string;
}

/** Every target, by the name that Deno gives it. */
export const TARGETS = {
  "x86_64-unknown-linux-gnu": {
    elfMachine: 62,
    emulator: "qemu-x86_64-static",
    sysroot: "/usr/x86_64-linux-gnu",
    emulatorPackages: "qemu-user-static libc6-amd64-cross libgcc-s1-amd64-cross",
  },
  "aarch64-unknown-linux-gnu": {
    elfMachine: 183,
    emulator: "qemu-aarch64-static",
    sysroot: "/usr/aarch64-linux-gnu",
    emulatorPackages: "qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross",
  },
} as const satisfies Readonly<Record<string, TargetFacts>>;

/** The name of a target. */
export type Target = keyof typeof TARGETS;

/** The names of all targets, in the order of the table. */
export const TARGET_NAMES: readonly Target[] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/** Tells a target's name from any other text. */
export function isTarget(text: string): text is Target {
  return Object.hasOwn(TARGETS, text);
}

/**
 * The target that is the machine `triple`, by default this one.
 *
 * @throws {BuildError} On a machine for which nothing is built.
 */
export function hostTarget(triple: string = Deno.build.target): Target {
  if (isTarget(triple)) return triple;
  throw new BuildError(
    `Cannot build for this machine: it is ${triple}, and virt-hooks runs on ${TARGET_NAMES.join(" and ")} only`,
    "name one of these with --target",
  );
}

/** What an ELF machine number means to people. */
export function machineName(elfMachine: number): string {
  const name = TARGET_NAMES.find((target) => TARGETS[target].elfMachine === elfMachine);
  return name?.split("-")[0] ?? `ELF machine ${elfMachine}`;
}
