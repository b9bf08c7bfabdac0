/**
 * The saved state of a resource.
 * @module
 */
import * as v from "valibot";
import { sweepHalfWritten } from "./demand_file.ts";
import {
  type FileReading,
  type FileSys,
  type ReadContext,
  readFile,
  removeIfThere,
  reportDamage,
  writeFile,
} from "./file.ts";
import { resourceFolder } from "./layout.ts";
import type { Sys } from "../sys/sys.ts";

/** The state of a resource. */
export interface State {
  readonly key: string;
  /** The kind of resource. */
  readonly resource: string;
  /** The value before our first write, adjusted where a kind restores a difference. */
  readonly original: unknown;
  /** The value after our last write, as read back. */
  readonly written: unknown;
  /** What we were about to write. */
  readonly pending: unknown;
  /** Why it is not as it should be, as the last try left it. */
  readonly problem: string | undefined;
}

const stateSchema: v.GenericSchema<unknown, State> = v.pipe(
  v.object({
    key: v.string(),
    resource: v.string(),
    original: v.unknown(),
    written: v.optional(v.unknown()),
    pending: v.optional(v.unknown()),
    problem: v.optional(v.string()),
  }),
  v.transform(({ key, resource, original, written, pending, problem }) => ({
    key,
    resource,
    original,
    written,
    pending,
    problem,
  })),
);

/** Reads a resource's state; `undefined` if there is none, or it cannot be read, which the lock's holder reports. */
export function readState(folder: string, sys: FileSys): State | undefined {
  const reading = lookAtState(folder, sys);
  return reading.kind === "data" ? reading.data : undefined;
}

/** Reads a resource's state and says when it cannot be read. */
export function lookAtState(folder: string, sys: FileSys): FileReading<State> {
  return readFile(resourceFolder(folder).state, stateSchema, sys);
}

/** Reads a resource's state under its lock. What cannot be read is told and set aside, and is not used again. */
export function takeState(folder: string, reader: ReadContext): FileReading<State> {
  const reading = lookAtState(folder, reader.sys);
  if (reading.kind === "damaged") reportDamage(resourceFolder(folder).state, reading.reason, reader);
  return reading;
}

/** Remembers a resource's state. */
export function writeState(folder: string, state: State, sys: FileSys): void {
  writeFile(resourceFolder(folder).state, { ...state }, sys);
}

/** Remembers nothing more of a resource. */
export function forgetState(folder: string, sys: FileSys): void {
  removeIfThere(resourceFolder(folder).state, sys);
}

/** Removes the state of a resource that has no demands and is restored, and files that killed processes left half written. */
export function forget(folder: string, sys: Sys): void {
  forgetState(folder, sys);
  sweepHalfWritten(folder, sys);
}
