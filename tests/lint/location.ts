/**
 * Tells from the path of a file which rules apply to it. Reads no file.
 * @module
 */

/** The part of the repository that a file belongs to; `path` is relative to the root. */
export type Location =
  | { readonly kind: "lib"; readonly path: string; readonly layer: string }
  | { readonly kind: "entry" | "build" | "test" | "other"; readonly path: string };

const ROOT_URL = new URL("../../", import.meta.url);

/** Returns the location of a file; `fileName` is absolute, or relative to the root. */
export function locationOf(fileName: string): Location {
  const rootPath = decodeURIComponent(ROOT_URL.pathname);
  const path = fileName.startsWith(rootPath) ? fileName.slice(rootPath.length) : fileName;
  const folders = path.split("/").slice(0, -1);
  if (folders[0] === "lib") return { kind: "lib", path, layer: folders[1] ?? path.slice("lib/".length, -".ts".length) };
  if (path === "cli.ts" || folders[0] === "hooks") return { kind: "entry", path };
  if (folders[0] === "build") return { kind: "build", path };
  return { kind: folders[0] === "tests" ? "test" : "other", path };
}

/** Resolves a relative specifier. Returns `undefined` for a bare name and for a path outside the root. */
export function resolveSpecifier(from: Location, specifier: string): Location | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const url = new URL(specifier, `file:///root/${from.path}`);
  const inside = decodeURIComponent(url.pathname).match(/^\/root\/(.+)$/);
  return inside?.[1] === undefined ? undefined : locationOf(inside[1]);
}

/** True for `lib/`, the entry points and the build. */
export function isProduct(location: Location): boolean {
  return location.kind === "lib" || location.kind === "entry" || location.kind === "build";
}

/** True for the files of `lib/` that implement `Sys` on the real system. */
export function isRealSystem(location: Location): boolean {
  return location.kind === "lib" && /^lib\/sys\/deno_[^/]+\.ts$/.test(location.path);
}

/** True for the files that may use `Deno`. */
export function mayUseDeno(location: Location): boolean {
  return location.kind !== "lib" || isRealSystem(location) ||
    /^lib\/story\/(private_root|story_folder)\.ts$/.test(location.path);
}
