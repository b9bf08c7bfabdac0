/**
 * The events of a build, and their lines of output.
 * @module
 */
import type { DenortEvent, DenortOrigin } from "./denort/find.ts";
import type { Target } from "./target.ts";

/** Progress of a build. The events of a target come between its `target` and its `finished`. */
export type BuildEvent =
  | { readonly kind: "waiting"; readonly out: string }
  | { readonly kind: "target"; readonly target: Target; readonly version: string; readonly names: readonly string[] }
  | DenortEvent
  | { readonly kind: "denort"; readonly origin: DenortOrigin | "kept-by-deno"; readonly path: string | undefined }
  /** This machine cannot run programs of the target. */
  | { readonly kind: "not-started"; readonly why: string }
  | { readonly kind: "step"; readonly name: string; readonly step: "bundle" | "compile" | "inspect" | "start" }
  | { readonly kind: "binary" } & BuiltBinary
  | { readonly kind: "finished" } & BuiltTarget;

/** A finished binary. */
export interface BuiltBinary {
  readonly name: string;
  readonly sizeBytes: number;
  /** The code of this project and its packages in it. */
  readonly bundleBytes: number;
  /** The part of that code that is loaded at every start. */
  readonly startBytes: number;
}

/** A finished target. */
export interface BuiltTarget {
  readonly target: Target;
  /** `dist/TARGET`. */
  readonly folder: string;
  /** Nothing had changed since the previous build, so nothing was built. */
  readonly upToDate: boolean;
  readonly durationMs: number;
}

const DENORT_ORIGINS = {
  "given": "as given",
  "cache": "from the cache",
  "download": "from Deno's own download, verified and cached",
  "npm": "from the npm package, verified and cached",
  "kept-by-deno": "Deno's own",
} as const;

/** Returns the line for an event, or `undefined` for an event without one. */
export function progressLine(event: BuildEvent): string | undefined {
  switch (event.kind) {
    case "waiting":
      return `another build writes to ${event.out}: waiting for it`;
    case "target":
      return `virt-hooks ${event.version} for ${event.target}, with Deno ${Deno.version.deno}`;
    case "denort-download":
      return "  denort: asking Deno to download it";
    case "denort-npm":
      return `  denort: Deno cannot download it (${event.because}), fetching the npm package ${event.packageName}`;
    case "denort":
      return `  denort: ${DENORT_ORIGINS[event.origin]}${event.path === undefined ? "" : ` (${event.path})`}`;
    case "not-started":
      return `  WARNING: the build does not start the binaries to check them: ${event.why}`;
    case "step":
      return undefined;
    case "binary":
      return `  ${event.name.padEnd(10)} ${megabytes(event.sizeBytes)}, of which ${
        kilobytes(event.bundleBytes)
      } code, ` +
        `${kilobytes(event.startBytes)} loaded at every start: compiled and checked`;
    case "finished":
      return `  ${event.upToDate ? "nothing has changed" : "done"} after ${seconds(event.durationMs)}: ${event.folder}`;
    default:
      return event satisfies never;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1e3).toFixed(1)} kB`;
}

function seconds(ms: number): string {
  return `${(ms / 1e3).toFixed(1)} s`;
}
