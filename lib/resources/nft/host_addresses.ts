/**
 * Addresses that the host itself has. One that a rule names may come later, as a floating one does, so that it is not there is
 * said and no failure.
 * @module
 */
import * as v from "valibot";
import { parseIpAddress } from "../../plan/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { parseJson } from "../json.ts";
import { runTool } from "../run_tool.ts";

const TIMEOUT_MS = 3_000;

const rowsSchema = v.array(v.object({ addr_info: v.array(v.object({ local: v.optional(v.string()) })) }));

/** Reads them; `undefined` where the host does not tell. */
export async function readHostAddresses(sys: Pick<Sys, "run">): Promise<ReadonlySet<string> | undefined> {
  const end = await runTool(["ip", "-json", "address", "show"], { timeoutMs: TIMEOUT_MS }, sys);
  const rows = end.kind === "done" ? parseJson(rowsSchema, end.stdout) : undefined;
  if (rows === undefined) return undefined;
  return new Set(rows.flatMap(({ addr_info }) => addr_info.flatMap(({ local }) => local === undefined ? [] : [local])));
}

/** Which of these the host does not have, in a sentence; `undefined` for none. */
export function missingText(wanted: readonly string[], there: ReadonlySet<string> | undefined): string | undefined {
  if (there === undefined) return undefined;
  const missing = wanted.filter((address) => !there.has(parseIpAddress(address)?.text ?? address));
  if (missing.length === 0) return undefined;
  const [are, they] = missing.length === 1 ? ["is no address", "it is"] : ["are no addresses", "they are"];
  return `${missing.join(", ")} ${are} of this host: nothing comes in there until ${they}`;
}
