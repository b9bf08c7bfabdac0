/**
 * A resource that nobody holds any more.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { sweepHalfWritten } from "./demand_file.ts";
import { forgetState } from "./state_file.ts";

/** Nobody holds it, and it is as it was: nothing is left of it, nor of what killed processes were writing. */
export function forget(folder: string, sys: Sys): void {
  forgetState(folder, sys);
  sweepHalfWritten(folder, sys);
}
