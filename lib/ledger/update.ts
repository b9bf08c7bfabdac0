/**
 * The one update of a resource: demands come and go under its lock, and it is converged. Acquiring, releasing,
 * ensuring and rolling back are made of it.
 * @module
 */
import {
  type ConvergeContext,
  type Converged,
  convergeLocked,
  type LockedContext,
  type LockedResult,
  type ResourceUpdate,
  succeeded,
} from "./converge.ts";
import { demandNames, removeDemand } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { resourceFolder } from "./layout.ts";
import { lockResource, removeForgotten, waitForTrackedChild } from "./locks.ts";
import { forget } from "./state_file.ts";
import { sameValue } from "../resources/resource.ts";
import { InterruptedError } from "../sys/kernel.ts";
import { type Command, type CommandResult, type Sys, wasInterrupted } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { reasonOf } from "../text/reason_of.ts";

/** What an update did. `converged` says how it went for people, whatever the kind. */
export type Updated =
  | { readonly kind: "converged"; readonly converged: Converged }
  /** The additions do not fit beside other demands, or each other: nothing was stored, removed or written. */
  | { readonly kind: "conflict"; readonly converged: Converged; readonly culprit: number }
  /** Another process held the lock until no time was left: nothing was stored, removed or written. */
  | { readonly kind: "locked"; readonly converged: Converged };

const NO_UPDATE: ResourceUpdate = { add: [], remove: [] };
const TIMED_OUT = "timed out waiting for another hook";

/**
 * Adds and removes demands of one resource under its lock and converges it. Without additions the demands are removed even while
 * another process holds the lock: that process converges again when it releases it. Never throws: the other resources must be
 * updated too.
 */
export async function updateResource(
  folder: string,
  update: ResourceUpdate,
  context: ConvergeContext,
): Promise<Updated> {
  if (update.add.length === 0) return { kind: "converged", converged: await removeDemands(folder, update, context) };
  const attempt = await attemptUpdate(folder, update, context);
  if (attempt === "locked") {
    const key = update.add[0]?.record.key ?? folder;
    const problem = `timed out waiting for another hook that works on ${key}`;
    return { kind: "locked", converged: { key, end: "late", problem } };
  }
  const { converged, culprit, mustRetry } = attempt;
  if (culprit !== undefined) return { kind: "conflict", converged, culprit };
  // The retry serves demands that arrived meanwhile; its result does not concern these.
  if (mustRetry) await ensureResource(folder, { ...context, mayWait: false });
  return { kind: "converged", converged };
}

/** Converges a resource until its demands stay the same. Never throws. */
export async function ensureResource(folder: string, context: ConvergeContext): Promise<Converged> {
  let result: Converged | undefined;
  while (true) {
    const attempt = await attemptUpdate(folder, NO_UPDATE, context);
    if (attempt === "locked") return result ?? notLocked(folder, context);
    result = result === undefined ? attempt.converged : joinConverged(result, attempt.converged, folder);
    if (!attempt.mustRetry) return result;
  }
}

async function removeDemands(folder: string, { remove }: ResourceUpdate, context: ConvergeContext): Promise<Converged> {
  const [first] = remove;
  if (first === undefined) return await ensureResource(folder, context);
  const { key } = first.record;
  let failure: Converged | undefined;
  for (const stored of remove) {
    try {
      removeDemand(stored, context.sys);
    } catch (error) {
      failure ??= { key, end: "failed", problem: reasonOf(error) };
    }
  }
  const converged = await ensureResource(folder, { ...context, about: first.record });
  return failure ?? { ...converged, key };
}

function notLocked(key: string, { mayWait }: ConvergeContext): Converged {
  return mayWait ? { key, end: "late", problem: TIMED_OUT } : { key, end: "handed-over" };
}

/**
 * Joins the results of two updates of a resource: the change is from the first value to the last one. `folder`: used as the key of a
 * resource that is forgotten.
 */
export function joinConverged(before: Converged, now: Converged, folder?: string): Converged {
  if (now.end === "unchanged" && succeeded(before)) {
    return { ...before, key: now.key === folder ? before.key : now.key };
  }
  if (before.change === undefined || now.change === undefined) return now;
  const parts = [...before.change.parts ?? [], ...now.change.parts ?? []];
  const change = { from: before.change.from, to: now.change.to, ...(parts.length === 0 ? {} : { parts }) };
  return { ...now, change };
}

/** `mustRetry`: demands came or went meanwhile, and their hooks rely on this one. */
interface Attempt {
  readonly converged: Converged;
  readonly culprit: number | undefined;
  readonly mustRetry: boolean;
}

/** Takes the lock, converges once, and releases the lock. */
async function attemptUpdate(
  folder: string,
  update: ResourceUpdate,
  context: ConvergeContext,
): Promise<Attempt | "locked"> {
  const { sys } = context;
  try {
    const lock = await lockResource(folder, { make: update.add.length > 0 }, context);
    if (lock === "late") return "locked";
    if (lock === "gone") {
      return { converged: { key: folder, end: "unchanged" }, culprit: undefined, mustRetry: false };
    }
    const held: LockedContext["held"] = { lock, isStored: false, culprit: undefined };
    let result: LockedResult;
    try {
      await waitForTrackedChild(folder, sys);
      result = await convergeLocked(folder, { ...context, ...watchInterrupts(sys), held, update });
      removeForgotten(folder, sys);
    } finally {
      held.lock[Symbol.dispose]();
    }
    const { converged, names, culprit } = result;
    // Looked at after the lock is released: a demand that comes later finds it free.
    return { converged, culprit, mustRetry: !sameValue(demandNames(folder, sys), names) };
  } catch (error) {
    const key = update.add[0]?.record.key ?? folder;
    return { converged: { key, end: "failed", problem: reasonOf(error) }, culprit: undefined, mustRetry: false };
  }
}

/** A world, and whether anything done through it was cut short. */
export interface Watched {
  readonly sys: Sys;
  isInterrupted(): boolean;
}

/** Watches whether what is done through this world is cut short. */
export function watchInterrupts(sys: Sys): Watched {
  let interrupted = false;
  async function look<Result>(act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      interrupted ||= error instanceof InterruptedError;
      throw error;
    }
  }
  const kernel: Sys["kernel"] = {
    read: (paths, timeoutMs) => look(() => sys.kernel.read(paths, timeoutMs)),
    list: (folder, timeoutMs) => look(() => sys.kernel.list(folder, timeoutMs)),
    openers: (paths) => look(() => sys.kernel.openers(paths)),
    write: async (path, text, timeoutMs, onStart) => {
      const end = await sys.kernel.write(path, text, timeoutMs, onStart);
      interrupted ||= end.kind === "refused" && end.interrupted === true;
      return end;
    },
  };
  async function run(command: Command): Promise<CommandResult> {
    const result = await sys.run(command);
    interrupted ||= isCutShort(command, result);
    return result;
  }
  return { sys: { ...sys, kernel, run }, isInterrupted: () => interrupted };
}

/** A user's program that a signal ended may have been meant itself; a tool of ours never is. */
function isCutShort({ argv: [program] }: Command, { end }: CommandResult): boolean {
  if (end.kind === "interrupted") return true;
  return wasInterrupted(end) && Object.values<string>(TOOLS).includes(program);
}

/** Forgets a resource and its demands; tells whether it could: not while a hook works on it. The host is not touched. */
export async function forgetResource(folder: string, context: ConvergeContext): Promise<boolean> {
  const { sys } = context;
  const lock = await lockResource(folder, { make: false }, context);
  if (lock === "gone") return true;
  if (lock === "late") return false;
  using _lock = lock;
  const { demands, busy } = resourceFolder(folder);
  if (!isFree(busy, context)) return false;
  for (const name of demandNames(folder, sys)) removeIfThere(`${demands}/${name}`, sys);
  forget(folder, sys);
  removeForgotten(folder, sys);
  return true;
}

function isFree(busy: string, { sys }: ConvergeContext): boolean {
  const lock = sys.lock(busy);
  using _lock = lock;
  return lock !== undefined;
}
