/**
 * A build's events as lines for people.
 * @module
 */
import type { BuildEvent } from "./build.ts";

const DENORT_ORIGINS = {
  "given": "as given",
  "cache": "from the cache",
  "download": "from Deno's own download, verified and cached",
  "npm": "from the npm package, verified and cached",
  "kept-by-deno": "Deno's own",
} as const;

/** The line for an event, or `undefined` for one that needs none in a plain list. */
export function progressLine(event: BuildEvent): string | undefined {
  switch (event.kind) {
    case "waiting":
      return `another build writes to ${event.out}: waiting for it`;
    case "target":
      return `virt-hooks ${event.version} for ${event.target}, with Deno ${Deno.version.deno}`;
    case "denort-download":
      return "  denort: asking Deno to download it";
    case "denort-npm":
      return `  denort: Deno cannot (${event.because}), fetching the npm package ${event.packageName}`;
    case "denort":
      return `  denort: ${DENORT_ORIGINS[event.origin]}${event.path === undefined ? "" : ` (${event.path})`}`;
    case "not-started":
      return `  WARNING: the binaries will not have been started once: ${event.why}`;
    case "step":
      return undefined;
    case "binary": {
      const how = event.reused ? "unchanged" : "compiled and checked";
      return `  ${event.name.padEnd(10)} ${megabytes(event.sizeBytes)}, of it ${kilobytes(event.bundleBytes)} ours, ` +
        `${kilobytes(event.startBytes)} read at every start: ${how}`;
    }
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
