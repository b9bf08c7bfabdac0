/**
 * The host's own IP addresses. An address that a rule names may be assigned later, like a floating address, so a
 * missing one is a warning and not an error.
 * @module
 */
import { parseIpAddress } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { listAddresses } from "../ip_addresses.ts";

/** Reads the host's addresses; `undefined` if they cannot be read. */
export async function readHostAddresses(sys: Pick<Sys, "run">): Promise<ReadonlySet<string> | undefined> {
  const listed = await listAddresses([], sys);
  if (listed === undefined || listed === "no device") return undefined;
  return new Set(listed.flatMap(({ local }) => local === undefined ? [] : [local]));
}

/** Describes the addresses that the host does not have; `undefined` if it has all of them. */
export function missingText(wanted: readonly string[], present: ReadonlySet<string> | undefined): string | undefined {
  if (present === undefined) return undefined;
  const missing = wanted.filter((address) => !present.has(parseIpAddress(address)?.text ?? address));
  if (missing.length === 0) return undefined;
  const [verb, pronoun] = missing.length === 1 ? ["is not an address", "it is"] : ["are not addresses", "they are"];
  return `${missing.join(", ")} ${verb} of this host: no packets arrive there until ${pronoun}`;
}
