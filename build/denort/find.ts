/**
 * Finds denort, the runtime to which `deno compile` appends a program: the file that the user names, else the cached one,
 * else Deno's own download, else the copy inside an npm package.
 *
 * `deno compile` does not check the denort that it is given: with a denort for another machine it succeeds, and with one
 * of another version it writes a program that cannot start. So every denort is checked here.
 * @module
 */
import { BuildError, messageOf } from "../build_error.ts";
import { sha256Hex, sha256OfFile } from "../checksum.ts";
import { machineName, parseElfHeader, type Target, TARGETS } from "../target.ts";
import { containsText } from "../trailer.ts";
import { downloadDenort } from "./download.ts";
import { denortFromTarball, denortPackage, fetchTarball, PINNED_DENO } from "./packages.ts";

// denort prints this when no program is appended to it. The text is not in Deno itself.
const BARE_ANSWER = "Could not find standalone binary section";
const USER_AGENT = new TextEncoder().encode("Deno/");
const VERSION_BYTES_MAX = 24;

/** A verified denort. */
export type Denort =
  | { readonly kind: "file"; readonly path: string; readonly sha256: string; readonly origin: DenortOrigin }
  /** Deno keeps its own copy and uses it when it is given none. */
  | { readonly kind: "kept-by-deno" };

/** The source of a denort. */
export type DenortOrigin = "given" | "cache" | "download" | "npm";

/** Progress of {@linkcode findDenort}. */
export type DenortEvent =
  | { readonly kind: "denort-download" }
  | { readonly kind: "denort-npm"; readonly packageName: string; readonly because: string };

/** Options for {@linkcode findDenort}. */
export interface FindDenortOptions {
  readonly target: Target;
  /** The file that the user names. */
  readonly given: string | undefined;
  readonly onProgress: (event: DenortEvent) => void;
}

/**
 * Finds the denort for a target, of the version of the running Deno.
 *
 * @throws {BuildError} When no denort can be had, or the one found fails the check.
 */
export async function findDenort(options: FindDenortOptions): Promise<Denort> {
  if (options.given !== undefined) return await readDenort(options.given, "given", options.target);
  const cached = cachePath(options.target);
  if (await isFile(cached)) return await readDenort(cached, "cache", options.target);
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-denort-" });
  try {
    return await fetchDenort(options, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The path of a cached denort: outside the repository, one file for each version and target. */
function cachePath(target: Target): string {
  return `${cacheFolder()}/${Deno.version.deno}-${target}`;
}

/**
 * The folder in which denort is kept between builds.
 *
 * @throws {BuildError} When neither XDG_CACHE_HOME nor HOME is set.
 */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const xdg = Deno.env.get("XDG_CACHE_HOME");
  if (xdg?.startsWith("/")) return `${xdg}/virt-hooks/denort`;
  if (home?.startsWith("/")) return `${home}/.cache/virt-hooks/denort`;
  throw new BuildError("Cannot cache denort: neither XDG_CACHE_HOME nor HOME names a folder", "set XDG_CACHE_HOME");
}

async function fetchDenort({ target, onProgress }: FindDenortOptions, folder: string): Promise<Denort> {
  onProgress({ kind: "denort-download" });
  const download = await downloadDenort(target, folder);
  if (download.kind === "kept-by-deno") return download;
  if (download.kind === "denort") return await storeInCache(download.bytes, target, "download");
  const known = denortPackage(Deno.version.deno, target);
  if (known === undefined) {
    throw new BuildError(
      `Cannot get denort ${Deno.version.deno} for ${target}: ${download.reason}`,
      `give one with --denort FILE, or build with Deno ${PINNED_DENO} ("npx -y deno@${PINNED_DENO} task build"), ` +
        "whose denort the npm registry has too",
    );
  }
  onProgress({ kind: "denort-npm", packageName: known.name, because: download.reason });
  return await storeInCache(await denortFromTarball(await fetchTarball(known, folder), known), target, "npm");
}

/** Writes a verified denort to the cache. */
async function storeInCache(bytes: Uint8Array<ArrayBuffer>, target: Target, origin: DenortOrigin): Promise<Denort> {
  const path = cachePath(target);
  const unfinished = `${path}.${Deno.pid}`;
  try {
    await Deno.mkdir(cacheFolder(), { recursive: true });
    await Deno.writeFile(unfinished, bytes, { mode: 0o644 });
    await Deno.rename(unfinished, path);
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    throw new BuildError(
      `Cannot cache denort as ${path}: ${messageOf(error)}`,
      "set XDG_CACHE_HOME to a folder you may write",
      { cause: error },
    );
  }
  return { kind: "file", path, sha256: await sha256Hex(bytes), origin };
}

async function readDenort(path: string, origin: DenortOrigin, target: Target): Promise<Denort> {
  const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  const sha256 = await sha256OfFile(absolute);
  if (sha256 === undefined) {
    throw new BuildError(
      `Cannot read denort ${path}: there is no such file`,
      "check what --denort or DENORT_BIN names",
    );
  }
  const known = denortPackage(Deno.version.deno, target)?.denortSha256;
  if (known === sha256) return { kind: "file", path: absolute, sha256, origin };
  if (origin === "cache" && known !== undefined) {
    throw new BuildError(
      `Cannot use the cached denort ${path}: its sha256 is ${sha256}, not ${known}`,
      `remove it (rm ${path}) and build again`,
    );
  }
  checkDenort(await Deno.readFile(absolute), { path, target, denoVersion: Deno.version.deno });
  return { kind: "file", path: absolute, sha256, origin };
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((facts) => facts.isFile, () => false);
}

/** A file and the denort that it must be. */
export interface CheckDenortOptions {
  readonly path: string;
  readonly target: Target;
  /** The version of the Deno that compiles. */
  readonly denoVersion: string;
}

/**
 * Checks that a file is a denort without a program, for the right machine and of the right version.
 *
 * @throws {BuildError} With what the file is instead.
 */
export function checkDenort(bytes: Uint8Array, options: CheckDenortOptions): void {
  const { path, target, denoVersion } = options;
  const header = parseElfHeader(bytes);
  if (header === undefined) {
    throw new BuildError(`Cannot use ${path} as denort: it is no 64-bit ELF file`, hintFor(options));
  }
  if (header.machine !== TARGETS[target].elfMachine) {
    throw new BuildError(
      `Cannot use ${path} as denort for ${target}: it is for ${machineName(header.machine)}`,
      hintFor(options),
    );
  }
  if (header.endBytes !== bytes.length || !containsText(bytes, BARE_ANSWER, 0)) {
    throw new BuildError(
      `Cannot use ${path} as denort: it is ${
        header.endBytes < bytes.length ? "a compiled program" : "another program"
      }`,
      hintFor(options),
    );
  }
  const versions = findVersions(bytes);
  if (!versions.includes(denoVersion)) {
    const found = versions.length === 0 ? "of an unknown version" : `version ${versions.join(" or ")}`;
    throw new BuildError(
      `Cannot use ${path} as denort: it is ${found}, and the Deno that builds is ${denoVersion}`,
      versions[0] === undefined
        ? hintFor(options)
        : `build with that version ("npx -y deno@${versions[0]} task build"), ` +
          `or ${hintFor(options)}`,
    );
  }
}

/** Finds the versions that a runtime names in its user agent. */
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

function hintFor({ target, denoVersion }: CheckDenortOptions): string {
  return `give the denort of Deno ${denoVersion} for ${target}, or none: then it is fetched`;
}
