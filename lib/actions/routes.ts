/**
 * `routes = [{ to = "203.0.113.7", dev = "virbr1" }]`: routes of the host while a network is active or a guest runs.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import type { IpAddress } from "../net/ip_address.ts";
import type { Action } from "./action.ts";
import type { RuleContext, RuleProblem } from "../config/rule_context.ts";
import { bridgeOf, deviceSchema } from "./device.ts";
import { placeholderProblems, type Template, usesDocument } from "../config/placeholder.ts";
import { type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { ipAddressSchema, prefixTemplateSchema, substitutePrefix } from "./ip_value.ts";
import { tableSchema } from "../config/table_schema.ts";

interface RouteConfig {
  readonly to: Template;
  readonly via: IpAddress | undefined;
  readonly dev: string | undefined;
  readonly onlink: boolean;
  readonly metric: number | undefined;
  readonly table: string;
  readonly onError: OnError | undefined;
}

const METRIC = "a whole number from 0 to 4294967295";
const TABLE = 'a routing table, by number or name, such as 100 or "main"';

/** Schema of one route. */
export function routesSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      to: prefixTemplateSchema(),
      via: v.optional(ipAddressSchema()),
      dev: v.optional(deviceSchema()),
      onlink: v.optional(v.boolean("true or false"), false),
      metric: v.optional(
        v.pipe(v.number(METRIC), v.integer(METRIC), v.minValue(0, METRIC), v.maxValue(0xFFFFFFFF, METRIC)),
      ),
      table: v.optional(routingTableSchema(), "main"),
      on_error: onErrorEntry(),
    }, "a route: a table with to, and via or dev"),
    v.transform(({ on_error, to, via, dev, onlink, metric, table }) =>
      routes({ to, via, dev, onlink, metric, table, onError: on_error })
    ),
  );
}

/** The kernel's own routing tables by number, so that a table always has the same name. */
const TABLE_NAMES: ReadonlyMap<string, string> = new Map([["253", "default"], ["254", "main"], ["255", "local"]]);

function routingTableSchema(): v.GenericSchema<unknown, string> {
  const name = v.pipe(v.string(TABLE), v.regex(/^[\w][\w.-]{0,63}$/, TABLE));
  const number = v.pipe(
    v.number(TABLE),
    v.integer(TABLE),
    v.minValue(1, TABLE),
    v.maxValue(0xFFFFFFFF, TABLE),
    v.transform(String),
  );
  return v.pipe(v.union([name, number], TABLE), v.transform((table) => TABLE_NAMES.get(table) ?? table));
}

function routes(config: RouteConfig): Action {
  const usesBridge = config.via === undefined && config.dev === undefined;
  return holdAction({
    kind: "routes",
    lasts: "running",
    whiles: ["guest", "network"],
    usesDocument: usesBridge || usesDocument(config.to),
    onError: config.onError,
    findProblems: (rule, hookPoints) => [
      ...placeholderProblems(config.to, { rule, hookPoints, path: ["to"] }),
      ...routeProblems(config, rule),
    ],
    parts: (rule, call) => parts(config, rule, call),
  });
}

function routeProblems({ via, dev, onlink }: RouteConfig, rule: RuleContext): readonly RuleProblem[] {
  if (via === undefined && dev === undefined && rule.while !== "network") {
    return [{
      path: [],
      found: "a route without via or dev",
      expected: "via or dev (a network's own bridge is the default)",
    }];
  }
  if (onlink && (via === undefined || dev === undefined)) {
    return [{ path: ["onlink"], found: "onlink", expected: "via and dev beside it" }];
  }
  return [];
}

function parts(config: RouteConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const { via, onlink, metric, table } = config;
  const to = substitutePrefix(config.to, rule, call);
  if ("problem" in to) return to;
  if (via !== undefined && via.family !== to.family) {
    return { problem: `the next hop ${via.text} and the destination ${to.text} are not of one family` };
  }
  const dev = config.dev ?? (via === undefined ? bridgeOf(call) : undefined);
  if (via === undefined && dev === undefined) return { problem: "the network has no bridge" };
  const attributes = [
    ...(via === undefined ? [] : [`via ${via.text}`]),
    ...(dev === undefined ? [] : [`dev ${dev}`]),
    ...(metric === undefined ? [] : [`metric ${metric}`]),
    ...(table === "main" ? [] : [`table ${table}`]),
  ];
  return [{
    resource: "route",
    demand: { family: to.family, to: to.text, via: via?.text, dev, onlink, metric, table },
    text: `route to ${to.text} ${attributes.join(" ")}`,
  }];
}
