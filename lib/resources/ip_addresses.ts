/**
 * The host's IP addresses, as `ip -json address` lists them.
 * @module
 */
import * as v from "valibot";
import type { Sys } from "../sys/sys.ts";
import { parseJson } from "./json.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;

/** An address on a device and its prefix length in bits. */
export interface ListedAddress {
  readonly local?: string | undefined;
  readonly prefixlen: number;
}

const rowsSchema = v.array(
  v.object({ addr_info: v.array(v.object({ local: v.optional(v.string()), prefixlen: v.number() })) }),
);

/** Lists all addresses, or with `["dev", "eth0"]` those of a device. Returns `undefined` if they cannot be read. */
export async function listAddresses(
  filter: readonly string[],
  sys: Pick<Sys, "run">,
): Promise<readonly ListedAddress[] | "no device" | undefined> {
  const end = await runTool(["ip", "-json", "address", "show", ...filter], { timeoutMs: TIMEOUT_MS }, sys);
  if (end.kind === "failed" && /does not exist/.test(end.reason)) return "no device";
  const rows = end.kind === "done" ? parseJson(rowsSchema, end.stdout) : undefined;
  return rows?.flatMap(({ addr_info }) => addr_info);
}
