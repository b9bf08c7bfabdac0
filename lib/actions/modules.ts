/**
 * `modules = { load = ["vfio-pci"], unload = ["nouveau"] }`: kernel modules that are loaded or unloaded during a
 * lifetime.
 * @module
 */
import * as v from "valibot";
import type { OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import { type DemandSpec, holdAction, onErrorEntry } from "./hold.ts";
import { tableSchema } from "../config/table_schema.ts";

/** Schema of `modules`. */
export function modulesSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      load: v.optional(namesSchema(), []),
      unload: v.optional(namesSchema(), []),
      on_error: onErrorEntry(),
    }, "a table with load or unload"),
    v.check(({ load, unload }) => load.length + unload.length > 0, "at least one module in load or unload"),
    v.check(
      ({ load, unload }) => !load.some((name) => unload.map(kernelName).includes(kernelName(name))),
      "each module in load or in unload, not in both",
    ),
    v.transform(({ load, unload, on_error }) =>
      modules([
        ...unload.map((name) => moduleDemand(name, "unloaded")),
        ...load.map((name) => moduleDemand(name, "loaded")),
      ], on_error)
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
    v.check((names) => new Set(names.map(kernelName)).size === names.length, "each module once"),
  );
}

/** Converts to the kernel's spelling, with underscores for dashes. */
function kernelName(name: string): string {
  return name.replaceAll("-", "_");
}

function moduleDemand(name: string, state: "loaded" | "unloaded"): DemandSpec {
  return { resource: "module", demand: { name: kernelName(name), state }, text: `module ${kernelName(name)} ${state}` };
}

/** Creates the action. Modules are unloaded before others are loaded, since they may conflict. */
function modules(parts: readonly DemandSpec[], onError: OnError | undefined): Action {
  return holdAction({
    kind: "modules",
    lasts: "domain",
    whiles: ["guest", "network", "port"],
    usesDocument: false,
    onError,
    parts: () => parts,
  });
}
