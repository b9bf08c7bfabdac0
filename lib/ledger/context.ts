/**
 * What converging works with, and what comes of it.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import type { Resource, ValueChange } from "../resources/resource.ts";
import type { StoredDemand } from "./demand_file.ts";
import type { State } from "./state_file.ts";

/** How converging went. `handed-over`: another process holds the lock, and looks again when it lets go. */
export type ConvergeEnd =
  | "unchanged"
  | "changed"
  | "restored"
  | "left"
  | "gone"
  | "handed-over"
  | "failed"
  | "stuck"
  | "late";

/** What came of converging a resource. */
export interface Converged {
  readonly key: string;
  readonly end: ConvergeEnd;
  /** What stood before and after, for people, where it changed. */
  readonly change?: ValueChange;
  readonly problem?: string;
  readonly hint?: string | undefined;
}

/** What converging works with. */
export interface ConvergeContext extends Host {
  /** What should be known of the way. */
  readonly notes: string[];
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Whether to wait for a lock that another process holds. */
  readonly mayWait: boolean;
  /** What the resource is, where its folder may not say so any more. */
  readonly about?: { readonly key: string; readonly resource: string };
}

/** Whether a resource is as its demands want it, or as it was before there were any. */
export function succeeded({ end }: Converged): boolean {
  return end !== "failed" && end !== "stuck" && end !== "late";
}

/** Demands of one resource that come and go. */
export interface ResourceUpdate {
  readonly add: readonly StoredDemand[];
  readonly remove: readonly StoredDemand[];
}

/** What converging under a lock works with. The lock is released while a user's program runs, and taken again. */
export interface LockedContext extends ConvergeContext {
  readonly update: ResourceUpdate;
  /** `isStored`: the additions were; another hook may have removed them since. `culprit`: the first of them that conflicts. */
  readonly held: { lock: Disposable; isStored: boolean; culprit: number | undefined };
  /** Whether something was cut short because the hook was told to end or its time was over: no fault of the resource, so the next call goes on. */
  isInterrupted(): boolean;
}

/** All that is known of a resource when its lock is held. */
export interface ResourceContext {
  readonly kind: Resource;
  readonly key: string;
  readonly state: State | undefined;
  readonly demands: readonly StoredDemand[];
}
