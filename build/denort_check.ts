/**
 * Is a file the denort that is needed: the bare runtime, for the right machine, of the right version?
 *
 * `deno compile` asks none of this when it is handed a denort: with the wrong machine it succeeds, and with the wrong
 * version it makes a program that cannot start.
 * @module
 */
import { BuildError } from "./build_error.ts";
import { parseElfHeader } from "./elf.ts";
import { machineName, type Target, TARGETS } from "./target.ts";
import { containsText } from "./trailer.ts";

// denort's answer when it is started bare. Deno itself does not have this text.
const BARE_ANSWER = "Could not find standalone binary section";
const USER_AGENT = new TextEncoder().encode("Deno/");
const VERSION_BYTES_MAX = 24;

/** What is known of the file and what is needed. */
export interface DenortWanted {
  readonly path: string;
  readonly target: Target;
  /** The version of the Deno that compiles. */
  readonly denoVersion: string;
}

/**
 * Refuses a file that is not the denort needed.
 *
 * @throws {BuildError} Saying what the file is instead.
 */
export function checkDenort(bytes: Uint8Array, wanted: DenortWanted): void {
  const { path, target, denoVersion } = wanted;
  const header = parseElfHeader(bytes);
  if (header === undefined) {
    throw new BuildError(`Cannot use ${path} as denort: it is no 64-bit ELF file`, hintFor(wanted));
  }
  if (header.machine !== TARGETS[target].elfMachine) {
    throw new BuildError(
      `Cannot use ${path} as denort for ${target}: it is for ${machineName(header.machine)}`,
      hintFor(wanted),
    );
  }
  if (header.endBytes !== bytes.length || !containsText(bytes, BARE_ANSWER, 0)) {
    throw new BuildError(
      `Cannot use ${path} as denort: it is ${
        header.endBytes < bytes.length ? "a compiled program" : "another program"
      }`,
      hintFor(wanted),
    );
  }
  const versions = findVersions(bytes);
  if (!versions.includes(denoVersion)) {
    const found = versions.length === 0 ? "of an unknown version" : `version ${versions.join(" or ")}`;
    throw new BuildError(
      `Cannot use ${path} as denort: it is ${found}, and the Deno that builds is ${denoVersion}`,
      versions[0] === undefined
        ? hintFor(wanted)
        : `build with that version ("npx -y deno@${versions[0]} task build"), ` +
          `or ${hintFor(wanted)}`,
    );
  }
}

/** The versions a runtime says it is: the user agent it would send. */
function findVersions(bytes: Uint8Array): readonly string[] {
  const found = new Set<string>();
  const first = 0x44;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (!USER_AGENT.every((byte, index) => bytes[at + index] === byte)) continue;
    const start = at + USER_AGENT.length;
    const text = new TextDecoder("latin1").decode(bytes.subarray(start, start + VERSION_BYTES_MAX));
    const version = text.match(/^\d+\.\d+\.\d+/)?.[0];
    if (version !== undefined) found.add(version);
  }
  return [...found];
}

function hintFor({ target, denoVersion }: DenortWanted): string {
  return `give the denort of Deno ${denoVersion} for ${target}, or none: then it is fetched`;
}
