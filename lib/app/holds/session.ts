/**
 * The session of a holder: its demands, while one call works on them.
 * @module
 */
import type { Converged } from "../../ledger/converge.ts";
import { lockHolder } from "../../ledger/holder_file.ts";
import type { Holder } from "../../ledger/demand_file.ts";
import { type Ledger, openLedger } from "../../ledger/ledger.ts";
import type { ResolvedHold } from "../../ledger/resolve.ts";
import type { HookCall } from "../../libvirt/call.ts";
import { callUuid } from "../../libvirt/call_uuid.ts";
import { DRIVERS_OF_DAEMON } from "../../libvirt/drivers.ts";
import { childElements } from "../../libvirt/elements.ts";
import { readNetworkPort } from "../../libvirt/network_port.ts";
import type { Host } from "../../resources/kinds.ts";

/** Operations on a port of the network that they name. */
export function isAboutPort(call: HookCall): boolean {
  return call.facts.lifetimes.length === 1 && call.facts.lifetimes[0] === "port";
}

/**
 * The holder of a call; `undefined` where there is none, or the document does not say.
 * @throws {XmlSyntaxError} when the document of a port is not XML that we read
 */
export function holderOf(call: HookCall): Holder | undefined {
  const uuid = callUuid(call);
  if (uuid === undefined) return undefined;
  if (call.domain !== undefined) return { kind: "domain", driver: call.driver, uuid, name: call.domain };
  if (call.network === undefined) return undefined;
  if (!isAboutPort(call)) return { kind: "network", uuid, name: call.network };
  const [element] = childElements(call.xml().root, "networkport");
  const port = element === undefined ? undefined : readNetworkPort(element);
  if (port?.uuid === undefined) return undefined;
  const { uuid: owner, name: ownerName } = port.owner;
  return { kind: "port", uuid: port.uuid, network: uuid, name: call.network, owner, ownerName };
}

/** Of a call's time, what is kept for giving back. */
export const GIVE_BACK_SHARE = 0.25;

/** A holder's demands, while its call works on them. */
export interface HolderSession extends Host, Disposable {
  readonly holder: Holder;
  readonly ledger: Ledger;
  readonly call: HookCall;
  /** The end of the call's time, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Set where the holder lives already: nothing of it is of an earlier life. */
  readonly isAlive?: true;
  /** Set where such a one cannot have all that the rules want: it keeps what it has, also of what the rules no longer ask for. */
  readonly keepsAll?: boolean;
}

/** Opens the ledger for the holder of a call, or says why not. */
export async function openHolderSession(
  call: HookCall,
  deadlineMs: number,
  { kinds, sys }: Host,
): Promise<HolderSession | string> {
  const holder = holderOf(call);
  if (holder === undefined) return "the document on stdin has no UUID, so nothing can be held for it";
  const ledger = await openLedger(sys, { make: true });
  if (ledger === undefined) return "there is no ledger";
  const lock = await lockHolder(holder, deadlineMs * (1 - GIVE_BACK_SHARE), { sys, notes: ledger.notes });
  if (lock === undefined) return `another hook call for ${call.object} did not end in time`;
  return { holder, ledger, call, sys, kinds, deadlineMs, [Symbol.dispose]: () => lock[Symbol.dispose]() };
}

/**
 * Whether the guest's start can fail without any hook being told, because the daemon is gone. A guest that already runs is known to
 * the next daemon, so it is not orphaned.
 */
export function isOrphaned(session: HolderSession): boolean {
  return !session.call.facts.lifetimes.includes("running") && isDaemonGone(session);
}

/** Whether the daemon that called us is gone. */
export function isDaemonGone({ ledger: { daemon }, sys }: HolderSession): boolean {
  return sys.ppid() !== daemon.pid || (daemon.pid === INIT_PID && !(daemon.name in DRIVERS_OF_DAEMON));
}

/** The parent of processes whose parent has died. In a container it can be libvirtd itself. */
const INIT_PID = 1;

/** The result of a hold that is refused because the daemon is gone. */
export function refuseOrphaned({ record: { key } }: ResolvedHold, { daemon }: Ledger): Converged {
  const who = daemon.pid === INIT_PID ? "the daemon" : `${daemon.name} (${daemon.pid})`;
  return { key, end: "failed", problem: `${who}, which called this hook, is gone` };
}
