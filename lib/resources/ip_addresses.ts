/**
 * The addresses that this host has, as `ip -json address` lists them.
 * @module
 */
import * as v from "valibot";
import type { Sys } from "../sys/sys.ts";
import { parseJson } from "./json.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;

/** An address of a device, and how many of its bits are the network's. */
export interface ListedAddress {
  readonly local?: string | undefined;
  readonly prefixlen: number;
}

const rowsSchema = v.array(
  v.object({ addr_info: v.array(v.object({ local: v.optional(v.string()), prefixlen: v.number() })) }),
);

/** Lists them: all, or with `["dev", "eth0"]` those of a device; `undefined` where the host does not tell. */
export async function listAddresses(
  which: readonly string[],
  sys: Pick<Sys, "run">,
): Promise<readonly ListedAddress[] | "no device" | undefined> {
  const end = await runTool(["ip", "-json", "address", "show", ...which], { timeoutMs: TIMEOUT_MS }, sys);
  if (end.kind === "failed" && /does not exist/.test(end.reason)) return "no device";
  const rows = end.kind === "done" ? parseJson(rowsSchema, end.stdout) : undefined;
  return rows?.flatMap(({ addr_info }) => addr_info);
}
