/**
 * The machines that binaries are built for, and how the ELF header names them.
 * @module
 */
import { BuildError } from "./build_error.ts";

const HEADER_BYTES = 64;
// 0x7f "ELF", class 64 bit, data little-endian.
const IDENTITY = [0x7f, 0x45, 0x4c, 0x46, 2, 1] as const;

/** A machine: its number in ELF files, and how its programs run on another machine. */
export interface TargetFacts {
  /** `e_machine` in the ELF header. */
  readonly elfMachine: number;
  /** Runs programs of this target on another machine, with the libraries of `sysroot`. */
  readonly emulator: string;
  readonly sysroot: string;
  /** The Debian packages that contain both. */
  readonly emulatorPackages: string;
}

/** All targets, by Deno's names. */
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

/** Whether a text is the name of a target. */
export function isTarget(text: string): text is Target {
  return Object.hasOwn(TARGETS, text);
}

/**
 * Returns the target for the machine `triple`, by default the machine of the build.
 *
 * @throws {BuildError} When virt-hooks is not built for this machine.
 */
export function hostTarget(triple: string = Deno.build.target): Target {
  if (isTarget(triple)) return triple;
  throw new BuildError(
    `Cannot build for this machine: it is ${triple}, and virt-hooks runs on ${TARGET_NAMES.join(" and ")} only`,
    "name one of these with --target",
  );
}

/** Returns the name of an ELF machine number for messages. */
export function machineName(elfMachine: number): string {
  const name = TARGET_NAMES.find((target) => TARGETS[target].elfMachine === elfMachine);
  return name?.split("-")[0] ?? `ELF machine ${elfMachine}`;
}

/** The facts of an ELF file that the build needs. */
export interface ElfHeader {
  /** `e_machine`. */
  readonly machine: number;
  /** The end of the section table, which is the last part of a linked file. Anything after it was appended. */
  readonly endBytes: number;
}

/** Reads the header of a 64-bit little-endian ELF file; returns `undefined` for other files. */
export function parseElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  if (bytes.length < HEADER_BYTES || IDENTITY.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const sectionTableOffset = Number(view.getBigUint64(0x28, true));
  return {
    machine: view.getUint16(0x12, true),
    endBytes: sectionTableOffset + view.getUint16(0x3a, true) * view.getUint16(0x3c, true),
  };
}
