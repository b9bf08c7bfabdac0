/**
 * Routes of the host, managed with `ip -json`. A route is identified by family, table, destination and metric.
 * @module
 */
import * as v from "valibot";
import type { RouteDemand } from "../plan/demand.ts";
import type { IpFamily } from "../net/ip_address.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import { type Reading, type Resolution, resource, type ResourceChange, type WriteEnd } from "./resource.ts";
import { parseJson } from "./json.ts";
import { routeGet } from "./route_get.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;
/** The metric that the kernel gives a route without one. */
const DEFAULT_METRIC = { ipv4: 0, ipv6: 1024 } as const satisfies Record<IpFamily, number>;
const FAMILY_FLAG = { ipv4: "-4", ipv6: "-6" } as const satisfies Record<IpFamily, string>;
/** The origin of our routes, as `ip route` shows it: set by an administrator, not by a routing daemon. */
const PROTOCOL = "static";

/** An existing route, limited to the attributes that virt-hooks can set again. */
const routeSchema = v.object({
  via: v.optional(v.string()),
  dev: v.string(),
  scope: v.optional(v.string()),
  protocol: v.optional(v.string()),
  src: v.optional(v.string()),
  onlink: v.boolean(),
});

/** `null`: no route. */
type Route = Readonly<v.InferOutput<typeof routeSchema>> | null;

/** Routes, as a resource kind. */
export const route = resource<RouteDemand, Route>({
  name: "route",
  demand: v.pipe(
    v.object({
      family: v.picklist(["ipv4", "ipv6"]),
      to: v.string(),
      via: v.optional(v.string()),
      dev: v.optional(v.string()),
      onlink: v.boolean(),
      metric: v.optional(v.number()),
      table: v.string(),
    }),
    v.transform((demand) => ({ ...demand, via: demand.via, dev: demand.dev, metric: demand.metric })),
  ),
  value: v.nullable(routeSchema),
  restores: "absolute",
  tools: ["ip"],
  resolve,
  read: (key, sys) => readRoute(parseKey(key), sys),
  wanted: (_original, held) => unanimous(held, { value: wantedRoute, text: (demand) => describe(wantedRoute(demand)) }),
  // The kernel deletes a route with its device.
  isAbandoned: (value) => value === null,
  write,
  describe,
});

/** The identity of a route. */
interface RouteKey {
  readonly family: IpFamily;
  readonly table: string;
  readonly to: string;
  readonly metric: number;
}

function keyOf({ family, table, to, metric }: RouteDemand): string {
  return `route/${family}/${table}/${metric ?? DEFAULT_METRIC[family]}/${to}`;
}

function parseKey(key: string): RouteKey {
  const [, family, table = "", metric = "", ...to] = key.split("/");
  return { family: family === "ipv6" ? "ipv6" : "ipv4", table, metric: Number(metric), to: to.join("/") };
}

/** Finds the device of a next hop, so that the wanted route can be compared with what the kernel reports. */
async function resolve(demand: RouteDemand, sys: Sys): Promise<Resolution<RouteDemand>> {
  const current = await readRoute(parseKey(keyOf(demand)), sys);
  if (current.kind !== "value") return { kind: "refused", reason: current.reason };
  const dev = demand.dev ?? (demand.via === undefined ? undefined : await deviceTo(demand.via, demand.family, sys));
  if (dev === undefined) {
    return {
      kind: "refused",
      reason: `no device of this host leads to ${demand.via}`,
      hint: "see: ip route get ADDRESS",
    };
  }
  const link = await runTool(["ip", "-json", "link", "show", "dev", dev], { timeoutMs: TIMEOUT_MS }, sys);
  if (link.kind !== "done") return { kind: "refused", reason: `there is no device ${dev}`, hint: "see: ip link" };
  return { kind: "resolved", key: keyOf(demand), demand: { ...demand, dev } };
}

/** Returns the device through which an address is reached without a gateway. */
async function deviceTo(text: string, family: IpFamily, sys: Sys): Promise<string | undefined> {
  const resolved = await routeGet({ text, family }, sys);
  return resolved?.gateway === undefined ? resolved?.dev : undefined;
}

/** The route attributes that virt-hooks can set again. */
const rowSchema = v.strictObject({
  type: v.optional(v.literal("unicast")),
  dst: v.string(),
  gateway: v.optional(v.string()),
  dev: v.string(),
  protocol: v.optional(v.string()),
  scope: v.optional(v.string()),
  prefsrc: v.optional(v.string()),
  metric: v.optional(v.number(), 0),
  flags: v.array(v.string()),
  /** The preference of IPv6 router advertisements. */
  pref: v.optional(v.string()),
  table: v.optional(v.string()),
});
const metricSchema = v.array(v.looseObject({ metric: v.optional(v.number(), 0) }));

async function readRoute({ family, table, to, metric }: RouteKey, sys: Sys): Promise<Reading<Route>> {
  const args = ["-json", FAMILY_FLAG[family], "route", "show", "exact", to, "table", table];
  const end = await runTool(["ip", ...args], { timeoutMs: TIMEOUT_MS }, sys);
  // The kernel reports an empty table as missing.
  if (end.kind === "failed" && /FIB table does not exist/.test(end.reason)) return { kind: "value", value: null };
  if (end.kind !== "done") return { kind: "unreadable", reason: `the routes cannot be read: ${end.reason}` };
  const rows = (parseJson(metricSchema, end.stdout) ?? []).filter((row) => row.metric === metric);
  const [row] = rows;
  if (row === undefined) return { kind: "value", value: null };
  const known = v.safeParse(rowSchema, row);
  if (rows.length > 1 || !known.success) {
    return { kind: "unreadable", reason: `there is a route to ${to} already that virt-hooks could not restore` };
  }
  const { gateway, dev, scope, protocol, prefsrc, flags } = known.output;
  return { kind: "value", value: routeValue({ via: gateway, dev, scope, protocol, src: prefsrc, flags }) };
}

/** Builds the value with its keys in a fixed order and without undefined ones: values are compared as JSON. */
function routeValue(
  { via, dev, scope, protocol, src, flags }: {
    readonly via: string | undefined;
    readonly dev: string;
    readonly scope: string | undefined;
    readonly protocol: string | undefined;
    readonly src: string | undefined;
    readonly flags: readonly string[];
  },
): Route {
  return {
    ...(via === undefined ? {} : { via }),
    dev,
    ...(scope === undefined ? {} : { scope }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(src === undefined ? {} : { src }),
    onlink: flags.includes("onlink"),
  };
}

/** Computes what the kernel will report for a demand. An IPv4 route without a next hop gets the scope "link". */
function wantedRoute({ family, via, dev = "", onlink }: RouteDemand): Route {
  const scope = via === undefined && family === "ipv4" ? "link" : undefined;
  return routeValue({ via, dev, scope, protocol: PROTOCOL, src: undefined, flags: onlink ? ["onlink"] : [] });
}

async function write({ key, to: wanted }: ResourceChange<Route>, sys: Sys): Promise<WriteEnd<Route>> {
  const { family, table, to, metric } = parseKey(key);
  const identity = [to, "metric", String(metric), "table", table];
  const args = wanted === null
    ? [FAMILY_FLAG[family], "route", "del", ...identity]
    : [FAMILY_FLAG[family], "route", "replace", ...identity, ...attributesOf(wanted)];
  const end = await runTool(["ip", ...args], { timeoutMs: TIMEOUT_MS }, sys);
  return end.kind === "done" ? { kind: "written" } : { kind: end.kind, reason: end.reason };
}

function attributesOf({ via, dev, scope, protocol, src, onlink }: NonNullable<Route>): readonly string[] {
  return [
    ...(via === undefined ? [] : ["via", via]),
    ...["dev", dev],
    ...(scope === undefined ? [] : ["scope", scope]),
    ...["proto", protocol ?? "boot"],
    ...(src === undefined ? [] : ["src", src]),
    ...(onlink ? ["onlink"] : []),
  ];
}

function describe(value: Route): string {
  if (value === null) return "none";
  const { via, dev, src, onlink } = value;
  return `${via === undefined ? "" : `via ${via} `}dev ${dev}${src === undefined ? "" : ` src ${src}`}${
    onlink ? " onlink" : ""
  }`;
}
