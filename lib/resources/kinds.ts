/**
 * The kinds of resources that a program knows. The ledger is given them, and knows none by name.
 * @module
 */
import type { DriverName } from "../libvirt/driver.ts";
import type { Sys } from "../sys/sys.ts";
import type { Resource } from "./resource.ts";

/** Kinds of resources. */
export interface Kinds {
  /** Loads a kind by its name; `undefined` for a name that is not known. */
  load(name: string): Promise<Resource | undefined>;
  /** The names of the kinds whose demands are all ensured at an operation. */
  ensuredAt(driver: DriverName, operation: string): readonly string[];
  /** The names of the kinds that share the host with what libvirt writes after the last call of its daemon's start. */
  readonly writtenAfterStart: readonly string[];
}

/** A host, with the kinds of resources that are managed on it. */
export interface Host {
  readonly sys: Sys;
  readonly kinds: Kinds;
}
