/**
 * `services = { stop = ["display-manager"], start = ["recorder"] }`: systemd units that are stopped or started during
 * a lifetime.
 * @module
 */
import * as v from "valibot";
import type { OnError } from "../plan/intent.ts";
import { whyProtected } from "../config/protected_units.ts";
import type { Action } from "./action.ts";
import { type DemandSpec, holdAction, onErrorEntry } from "./hold.ts";
import { oneOrMany, tableSchema } from "../config/table_schema.ts";

const UNIT = 'the name of a unit, such as "display-manager" or "backup.timer", without placeholders';
const SUFFIXES = ["service", "socket", "timer", "path", "target", "mount", "automount", "swap"] as const;
const NAME_LENGTH_MAX = 255;

interface ServicesConfig {
  readonly stop?: readonly string[] | undefined;
  readonly start?: readonly string[] | undefined;
  readonly on_error?: OnError | undefined;
}

/** Schema of `services`. */
export function servicesSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      stop: v.optional(oneOrMany(unitSchema)),
      start: v.optional(oneOrMany(unitSchema)),
      on_error: onErrorEntry(),
    }, 'a table such as { stop = ["display-manager"] }'),
    v.check(({ stop = [], start = [] }) => stop.length + start.length > 0, "stop, start or both"),
    v.check(({ stop = [], start = [] }) => {
      const all = [...stop, ...start];
      return new Set(all).size === all.length;
    }, "each unit once"),
    v.transform(services),
  );
}

function unitSchema(): v.GenericSchema<unknown, string> {
  return v.pipe(
    v.string(UNIT),
    v.regex(/^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*$/, UNIT),
    // A template is no unit without an instance name.
    v.check((name) => !/@\.[a-z]+$/.test(unitName(name)) && unitName(name).length <= NAME_LENGTH_MAX, UNIT),
    v.check(
      (name) => whyProtected(unitName(name)) === undefined,
      ({ input }) => whyProtected(unitName(input)) ?? UNIT,
    ),
    v.transform(unitName),
  );
}

/** Completes a name like systemctl: without the suffix of a unit type it is a service. */
function unitName(name: string): string {
  return SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`)) ? name : `${name}.service`;
}

function services({ stop = [], start = [], on_error }: ServicesConfig): Action {
  const parts: readonly DemandSpec[] = [
    ...stop.map((unit): DemandSpec => ({
      resource: "service",
      demand: { unit, state: "inactive" },
      text: `${unit} stopped`,
    })),
    ...start.map((unit): DemandSpec => ({
      resource: "service",
      demand: { unit, state: "active" },
      text: `${unit} running`,
    })),
  ];
  return holdAction({
    kind: "services",
    lasts: "domain",
    whiles: ["guest", "network", "port"],
    usesDocument: false,
    onError: on_error,
    parts: () => parts,
  });
}
