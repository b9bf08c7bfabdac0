/**
 * The route of the host's packets to an address, as `ip route get` reports it.
 * @module
 */
import * as v from "valibot";
import type { IpAddress, IpFamily } from "../net/ip_address.ts";
import type { Sys } from "../sys/sys.ts";
import { parseJson } from "./json.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;
const FAMILY_FLAG = { ipv4: "-4", ipv6: "-6" } as const satisfies Record<IpFamily, string>;

const routesSchema = v.array(v.object({ dev: v.string(), gateway: v.optional(v.string()) }));

/** A resolved route: its device (`lo` for an address of the host itself) and its gateway, if there is one. */
export interface ResolvedRoute {
  readonly dev: string;
  readonly gateway?: string | undefined;
}

/** Resolves the route to an address. Returns `undefined` if there is none. */
export async function routeGet(
  { text, family }: Pick<IpAddress, "text" | "family">,
  sys: Pick<Sys, "run">,
): Promise<ResolvedRoute | undefined> {
  const args = ["-json", FAMILY_FLAG[family], "route", "get", text];
  const end = await runTool(["ip", ...args], { timeoutMs: TIMEOUT_MS }, sys);
  return end.kind === "done" ? parseJson(routesSchema, end.stdout)?.[0] : undefined;
}
