/**
 * Routes of the host, by `ip -json`. What tells them apart is family, table, destination and metric.
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
/** What the kernel gives an IPv6 route that says none. */
const DEFAULT_METRIC = { ipv4: 0, ipv6: 1024 } as const satisfies Record<IpFamily, number>;
const FAMILY_FLAG = { ipv4: "-4", ipv6: "-6" } as const satisfies Record<IpFamily, string>;
/** Who set a route, as `ip route` shows it: an administrator, not a routing daemon. */
const PROTOCOL = "static";

/** A route that is there, as far as we can set it again. */
const routeSchema = v.object({
  via: v.optional(v.string()),
  dev: v.string(),
  scope: v.optional(v.string()),
  protocol: v.optional(v.string()),
  src: v.optional(v.string()),
  onlink: v.boolean(),
});

/** `null`: there is none. */
type Route = Readonly<v.InferOutput<typeof routeSchema>> | null;

/** The kind. */
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
  read: (key, sys) => readRoute(placeOf(key), sys),
  wanted: (_original, held) => unanimous(held, { value: wantedRoute, text: (demand) => describe(wantedRoute(demand)) }),
  // Ours goes when its device does.
  isAbandoned: (value) => value === null,
  write,
  describe,
});

/** What tells a route apart. */
interface RoutePlace {
  readonly family: IpFamily;
  readonly table: string;
  readonly to: string;
  readonly metric: number;
}

function keyOf({ family, table, to, metric }: RouteDemand): string {
  return `route/${family}/${table}/${metric ?? DEFAULT_METRIC[family]}/${to}`;
}

function placeOf(key: string): RoutePlace {
  const [, family, table = "", metric = "", ...to] = key.split("/");
  return { family: family === "ipv6" ? "ipv6" : "ipv4", table, metric: Number(metric), to: to.join("/") };
}

/** Finds the device of a next hop, so that what is wanted can be compared with what the kernel says. */
async function resolve(demand: RouteDemand, sys: Sys): Promise<Resolution<RouteDemand>> {
  const standing = await readRoute(placeOf(keyOf(demand)), sys);
  if (standing.kind !== "value") return { kind: "refused", reason: standing.reason };
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

/** The device that an address is directly behind. */
async function deviceTo(text: string, family: IpFamily, sys: Sys): Promise<string | undefined> {
  const way = await routeGet({ text, family }, sys);
  return way?.gateway === undefined ? way?.dev : undefined;
}

/** The attributes of a route that we know how to set again. */
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
  /** IPv6, in router advertisements. */
  pref: v.optional(v.string()),
  table: v.optional(v.string()),
});
const metricSchema = v.array(v.looseObject({ metric: v.optional(v.number(), 0) }));

async function readRoute(place: RoutePlace, sys: Sys): Promise<Reading<Route>> {
  const { family, table, to, metric } = place;
  const args = ["-json", FAMILY_FLAG[family], "route", "show", "exact", to, "table", table];
  const end = await runTool(["ip", ...args], { timeoutMs: TIMEOUT_MS }, sys);
  // A table that nobody has put a route in is none to the kernel.
  if (end.kind === "failed" && /FIB table does not exist/.test(end.reason)) return { kind: "value", value: null };
  if (end.kind !== "done") return { kind: "unreadable", reason: `the routes cannot be read: ${end.reason}` };
  const rows = (parseJson(metricSchema, end.stdout) ?? []).filter((row) => row.metric === metric);
  const [row] = rows;
  if (row === undefined) return { kind: "value", value: null };
  const known = v.safeParse(rowSchema, row);
  if (rows.length > 1 || !known.success) {
    return { kind: "unreadable", reason: `there is a route to ${to} already that virt-hooks could not set again` };
  }
  const { gateway, dev, scope, protocol, prefsrc, flags } = known.output;
  return { kind: "value", value: routeValue({ via: gateway, dev, scope, protocol, src: prefsrc, flags }) };
}

/** In one order of keys, without those that are not there: values are compared as JSON. */
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

/** What the kernel will say of a route that was set: IPv4 gives one without a next hop the scope of the link. */
function wantedRoute({ family, via, dev = "", onlink }: RouteDemand): Route {
  const scope = via === undefined && family === "ipv4" ? "link" : undefined;
  return routeValue({ via, dev, scope, protocol: PROTOCOL, src: undefined, flags: onlink ? ["onlink"] : [] });
}

async function write({ key, to: wanted }: ResourceChange<Route>, sys: Sys): Promise<WriteEnd<Route>> {
  const { family, table, to, metric } = placeOf(key);
  const where = [to, "metric", String(metric), "table", table];
  const args = wanted === null
    ? [FAMILY_FLAG[family], "route", "del", ...where]
    : [FAMILY_FLAG[family], "route", "replace", ...where, ...attributesOf(wanted)];
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
