/**
 * Where a file stands in the house: its room decides which rules hold there. Paths only, nothing is read.
 * @module
 */

/** A file's place, told from its path below the repository's root. */
export type Place =
  | { readonly kind: "lib"; readonly path: string; readonly room: string }
  | { readonly kind: "door" | "build" | "test" | "other"; readonly path: string };

const ROOT_URL = new URL("../../", import.meta.url);

/** Says where a file stands; `fileName` is what the linter calls it: absolute, or below the root. */
export function placeOf(fileName: string): Place {
  const rootPath = decodeURIComponent(ROOT_URL.pathname);
  const path = fileName.startsWith(rootPath) ? fileName.slice(rootPath.length) : fileName;
  const folders = path.split("/").slice(0, -1);
  if (folders[0] === "lib") return { kind: "lib", path, room: folders[1] ?? path.slice("lib/".length, -".ts".length) };
  if (path === "cli.ts" || folders[0] === "hooks") return { kind: "door", path };
  if (folders[0] === "build") return { kind: "build", path };
  return { kind: folders[0] === "tests" ? "test" : "other", path };
}

/** Says which file a relative specifier means, or `undefined` for a bare name and for one that leaves the root. */
export function resolveSpecifier(from: Place, specifier: string): Place | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const url = new URL(specifier, `file:///root/${from.path}`);
  const inside = decodeURIComponent(url.pathname).match(/^\/root\/(.+)$/);
  return inside?.[1] === undefined ? undefined : placeOf(inside[1]);
}

/** True for what is shipped or builds what is shipped: `lib/`, the doors and the build. */
export function isProduct(place: Place): boolean {
  return place.kind === "lib" || place.kind === "door" || place.kind === "build";
}

/** True for the files that are the real world to the rest of `lib/`. */
export function isRealWorld(place: Place): boolean {
  return place.kind === "lib" && /^lib\/sys\/deno_[^/]+\.ts$/.test(place.path);
}

/** True for the files that may speak to the operating system. */
export function mayUseDeno(place: Place): boolean {
  return place.kind !== "lib" || isRealWorld(place);
}
