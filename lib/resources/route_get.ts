/**
 * The way that this host's packets to an address take, as `ip route get` tells it.
 * @module
 */
import * as v from "valibot";
import type { IpAddress, IpFamily } from "../net/ip_address.ts";
import type { Sys } from "../sys/sys.ts";
import { parseJson } from "./json.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;
const FAMILY_FLAG = { ipv4: "-4", ipv6: "-6" } as const satisfies Record<IpFamily, string>;

const gotSchema = v.array(v.object({ dev: v.string(), gateway: v.optional(v.string()) }));

/** A way: its device (`lo` for an address of the host itself), and the next hop where there is one. */
export interface ResolvedRoute {
  readonly dev: string;
  readonly gateway?: string | undefined;
}

/** Asks for the way to an address; `undefined` where there is none. */
export async function routeGet(
  { text, family }: Pick<IpAddress, "text" | "family">,
  sys: Pick<Sys, "run">,
): Promise<ResolvedRoute | undefined> {
  const args = ["-json", FAMILY_FLAG[family], "route", "get", text];
  const end = await runTool(["ip", ...args], { timeoutMs: TIMEOUT_MS }, sys);
  return end.kind === "done" ? parseJson(gotSchema, end.stdout)?.[0] : undefined;
}
