/**
 * A holder's demands, while its call works on them: nobody else does meanwhile.
 * @module
 */
import type { Holder } from "../ledger/holder.ts";
import { lockHolder } from "../ledger/holder_file.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Host } from "../resources/kinds.ts";
import { holderOf } from "./holder_of.ts";

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
