/**
 * `modules = { load = ["vfio-pci"], unload = ["nouveau"] }`: kernel modules, there or not there while somebody lives.
 * @module
 */
import * as v from "valibot";
import type { OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import { type DemandSpec, holdAction, onErrorEntry } from "./hold.ts";
import { tableSchema } from "../config/table_schema.ts";

/** The configuration of `modules`, as a schema. */
export function modulesSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      load: v.optional(namesSchema(), []),
      unload: v.optional(namesSchema(), []),
      on_error: onErrorEntry(),
    }, "a table with load or unload"),
    v.check(({ load, unload }) => load.length + unload.length > 0, "at least one module in load or unload"),
    v.check(
      ({ load, unload }) => !load.some((name) => unload.map(normal).includes(normal(name))),
      "each module in load or in unload, not in both",
    ),
    v.transform(({ load, unload, on_error }) =>
      modules([...unload.map((name) => part(name, "unloaded")), ...load.map((name) => part(name, "loaded"))], on_error)
    ),
  );
}

function namesSchema(): v.GenericSchema<unknown, readonly string[]> {
  const name = v.pipe(
    v.string("a module's name"),
    v.regex(/^[A-Za-z0-9_][A-Za-z0-9_-]*$/, 'a module\'s name, such as "vfio-pci", without folder and ending'),
  );
  return v.pipe(
    v.array(name, "a list of modules' names"),
    v.check((names) => new Set(names.map(normal)).size === names.length, "each module once"),
  );
}

/** The kernel takes a dash for an underscore. */
function normal(name: string): string {
  return name.replaceAll("-", "_");
}

function part(name: string, state: "loaded" | "unloaded"): DemandSpec {
  return { resource: "module", demand: { name: normal(name), state }, text: `module ${normal(name)} ${state}` };
}

/** What is in the way goes before what takes its place comes. */
function modules(parts: readonly DemandSpec[], onError: OnError | undefined): Action {
  return holdAction({
    kind: "modules",
    lasts: "domain",
    whiles: ["guest", "network", "port"],
    looksAtDocument: false,
    onError,
    parts: () => parts,
  });
}
