/**
 * Hooks whose daemon is gone. Nobody tells them what becomes of the guest any more.
 * @module
 */
import type { Converged } from "../ledger/context.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { ResolvedHold } from "../ledger/resolve.ts";
import type { HolderSession } from "./holder_session.ts";
import { DRIVERS_OF_DAEMON } from "../libvirt/drivers.ts";

/**
 * Whether nobody will say that what begins here did not start. Of a guest that runs already the next daemon knows: what it
 * needs is acquired all the same.
 */
export function isOrphaned(holding: HolderSession): boolean {
  return !holding.call.facts.lifetimes.includes("running") && isDaemonGone(holding);
}

/** Whether the daemon that called us is gone. */
export function isDaemonGone({ ledger: { daemon }, sys }: HolderSession): boolean {
  return sys.ppid() !== daemon.pid || (daemon.pid === INIT_PID && !(daemon.name in DRIVERS_OF_DAEMON));
}

/** Who takes in orphans, also those whose daemon died before they could look. In a container it can be libvirtd itself. */
const INIT_PID = 1;

/** What becomes of a wish then. */
export function refuseOrphaned({ record: { key } }: ResolvedHold, { daemon }: Ledger): Converged {
  const who = daemon.pid === INIT_PID ? "the daemon" : `${daemon.name} (${daemon.pid})`;
  return { key, end: "failed", problem: `${who}, which called this hook, is gone` };
}
