/**
 * The set of resource kinds that a program supports. The ledger receives it as an argument and refers to no kind by
 * name.
 * @module
 */
import type { DriverName } from "../libvirt/driver.ts";
import type { Sys } from "../sys/sys.ts";
import type { Resource } from "./resource.ts";

/** Resource kinds by name. */
export interface Kinds {
  /** Loads a kind by name; `undefined` for an unknown name. */
  load(name: string): Promise<Resource | undefined>;
  /** Names of the kinds whose demands are all ensured at an operation. */
  ensuredAt(driver: DriverName, operation: string): readonly string[];
  /** Names of the kinds whose host state libvirt may overwrite after the last hook call of its daemon's start. */
  readonly writtenAfterStart: readonly string[];
}

/** A host and the resource kinds that are managed on it. */
export interface Host {
  readonly sys: Sys;
  readonly kinds: Kinds;
}
