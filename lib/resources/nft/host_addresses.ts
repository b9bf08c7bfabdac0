/**
 * Addresses that the host itself has. One that a rule names may come later, as a floating one does, so that it is not there is
 * said and no failure.
 * @module
 */
import { parseIpAddress } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { listAddresses } from "../ip_addresses.ts";

/** Reads them; `undefined` where the host does not tell. */
export async function readHostAddresses(sys: Pick<Sys, "run">): Promise<ReadonlySet<string> | undefined> {
  const listed = await listAddresses([], sys);
  if (listed === undefined || listed === "no device") return undefined;
  return new Set(listed.flatMap(({ local }) => local === undefined ? [] : [local]));
}

/** Which of these the host does not have, in a sentence; `undefined` for none. */
export function missingText(wanted: readonly string[], there: ReadonlySet<string> | undefined): string | undefined {
  if (there === undefined) return undefined;
  const missing = wanted.filter((address) => !there.has(parseIpAddress(address)?.text ?? address));
  if (missing.length === 0) return undefined;
  const [are, they] = missing.length === 1 ? ["is no address", "it is"] : ["are no addresses", "they are"];
  return `${missing.join(", ")} ${are} of this host: nothing comes in there until ${they}`;
}
