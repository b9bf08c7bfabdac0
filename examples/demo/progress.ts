/**
 * The build as people like to watch it: on a terminal one line that is redrawn, and everywhere a line for each binary
 * that is ready.
 * @module
 */
import { type BuildEvent, type BuiltBinary } from "../../build/build.ts";
import { progressLine } from "../../build/progress.ts";
import type { Screen } from "./screen.ts";

/** Shows a build. */
export interface Progress extends Disposable {
  show(event: BuildEvent): void;
}

const REDRAW_MS = 120;
const BAR_WIDTH = 24;

/** Starts to show a build. */
export function showProgress(screen: Screen): Progress {
  const startedMs = performance.now();
  const begun = new Map<string, number>();
  let [doing, ready, names]: [string, number, readonly string[]] = ["getting ready", 0, []];

  function redraw(): void {
    const done = names.length === 0 ? 0 : Math.round(BAR_WIDTH * ready / names.length);
    const bar = "#".repeat(done) + "-".repeat(BAR_WIDTH - done);
    const elapsed = seconds(performance.now() - startedMs);
    screen.redraw(`  [${bar}] ${ready} of ${names.length}  ${elapsed}  ${doing}`);
  }

  function tell(event: BuildEvent): void {
    const line = progressLine(event);
    if (line !== undefined) screen.printWrapped({ text: "  " }, line.trim());
  }

  function show(event: BuildEvent): void {
    switch (event.kind) {
      case "target":
        names = event.names;
        break;
      case "step":
        if (!begun.has(event.name)) begun.set(event.name, performance.now());
        doing = `${event.name}: ${event.step}`;
        break;
      case "binary":
        ready++;
        screen.print(binaryLine(event, performance.now() - (begun.get(event.name) ?? startedMs)));
        break;
      case "finished":
        screen.redraw("");
        return;
      case "denort":
        doing = "looking for what has changed";
        tell(event);
        break;
      case "waiting":
      case "denort-download":
      case "denort-npm":
        doing = "this can take a minute the first time";
        tell(event);
        break;
      case "not-started":
        tell(event);
        break;
      default:
        event satisfies never;
    }
    redraw();
  }

  const timer = setInterval(redraw, REDRAW_MS);
  return {
    show,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      screen.redraw("");
    },
  };
}

function binaryLine({ name, sizeBytes }: BuiltBinary, durationMs: number): string {
  return `  ${name.padEnd(11)}${megabytes(sizeBytes)}   ${seconds(durationMs).padStart(6)}`;
}

/** The line for a binary that is there from the last build. */
export function unchangedLine(name: string, sizeBytes: number): string {
  return `  ${name.padEnd(11)}${megabytes(sizeBytes)}   unchanged`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`.padStart(8);
}

/** A time for people. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
