/**
 * The history line of an administrator's command: the command, the user that ran it, and what changed.
 * @module
 */
import { type Converged, succeeded } from "../ledger/converge.ts";
import { visible } from "../text/quote.ts";
import type { Sys } from "../sys/sys.ts";
import { type CommandUser, type HistoryEntry, keptPart, writeHistory } from "../app/history.ts";
import { PRODUCT } from "../app/product.ts";

/** What a command did. */
export interface CommandEffects {
  /** Names of the guests and networks for which resources changed. */
  readonly guests: readonly string[];
  readonly results: readonly Converged[];
  readonly notes: readonly string[];
}

/** A command that did nothing yet. */
export const NO_EFFECTS: CommandEffects = { guests: [], results: [], notes: [] };

/** What two parts of a command did. */
export function mergeEffects(one: CommandEffects, other: CommandEffects): CommandEffects {
  return {
    guests: [...new Set([...one.guests, ...other.guests])],
    results: [...one.results, ...other.results],
    notes: [...one.notes, ...other.notes],
  };
}

/** Writes the line. That it cannot be written does not change what the command comes to. */
export async function writeCommandEntry(
  command: string,
  { guests, results, notes }: CommandEffects,
  exitCode: number,
  sys: Sys,
): Promise<void> {
  const by = await readUser(sys);
  const bad = results.find((result) => !succeeded(result));
  const problem = bad === undefined ? undefined : `${bad.key}: ${bad.problem ?? bad.end}`;
  const kind = exitCode === 0 ? "done" : "failed";
  const entry: HistoryEntry = {
    level: exitCode === 0 ? "INFO" : "ERROR",
    datetime: sys.now().toISOString(),
    message: visible(`${PRODUCT} ${command} by ${userText(by)}: ${problem ?? kind}`),
    ...{ driver: PRODUCT, object: "-", operation: command, subOperation: "-", extra: "-", rules: [], actions: [] },
    ...keptPart({ results, notes }),
    ...(guests.length === 0 ? {} : { guests: guests.map(visible) }),
    by,
    outcome: kind,
    exitCode,
    durationMs: Math.round(sys.elapsedMs() * 10) / 10,
    pid: sys.pid,
  };
  writeHistory(entry, sys);
}

function userText({ uid, sudoUser, unit }: CommandUser): string {
  if (unit !== undefined) return unit;
  return sudoUser === undefined ? `uid ${uid}` : `${sudoUser} (uid ${uid})`;
}

/** Finds the user that runs this program, by its environment and control group as the kernel has them. */
async function readUser(sys: Sys): Promise<CommandUser> {
  const [environ, cgroup] = [`/proc/${sys.pid}/environ`, `/proc/${sys.pid}/cgroup`];
  const uid = sys.uid();
  try {
    const files = await sys.kernel.read([environ, cgroup]);
    const sudoUser = (files.get(environ) ?? "").split("\0").find((text) => text.startsWith("SUDO_USER="))?.slice(10);
    const unit = /\/([^/\n]+\.service)$/m.exec(files.get(cgroup) ?? "")?.[1];
    return {
      uid,
      ...(sudoUser === undefined || sudoUser === "" ? {} : { sudoUser }),
      ...(unit === undefined ? {} : { unit }),
    };
  } catch {
    return { uid };
  }
}
