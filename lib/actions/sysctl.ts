/**
 * `sysctl = { "vm.swappiness" = 1 }`: kernel parameters that are set during a lifetime.
 * @module
 */
import * as v from "valibot";
import type { Action } from "./action.ts";
import { type DemandSpec, holdAction } from "./hold.ts";

/** Keys whose value is a program that the kernel runs as root. */
const PROGRAM_KEYS: readonly string[] = [
  "kernel/core_pattern",
  "kernel/hotplug",
  "kernel/modprobe",
  "kernel/poweroff_cmd",
];
const PROGRAM_FOLDER = "fs/binfmt_misc/";
const NO_PROGRAM = "another key: the value of this one is a program, which the kernel would run unchecked";

const VALUE = "a text, a whole number, true or false";

/** Schema of `sysctl`. */
export function sysctlSchema(): v.GenericSchema<unknown, Action> {
  const name = v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_:@-]+)+$/, 'a key such as "vm.swappiness"'),
    v.check((key) => !namesProgram(key), NO_PROGRAM),
  );
  const value = v.union([
    v.pipe(v.string(VALUE), v.regex(/^[^\0\n]+$/, "a text on one line")),
    v.pipe(v.number(VALUE), v.integer(VALUE)),
    v.boolean(VALUE),
  ], VALUE);
  return v.pipe(
    v.record(name, value, 'a table of keys, such as { "vm.swappiness" = 1 }'),
    v.check((table) => Object.keys(table).length > 0, 'at least one key, such as "vm.swappiness"'),
    v.transform((table) => sysctl(Object.entries(table).map(([key, given]) => sysctlDemand(key, given)))),
  );
}

function namesProgram(key: string): boolean {
  const name = kernelName(key);
  return PROGRAM_KEYS.includes(name) || name.startsWith(PROGRAM_FOLDER);
}

function sysctlDemand(key: string, given: string | number | boolean): DemandSpec {
  const value = typeof given === "boolean" ? String(Number(given)) : String(given);
  return { resource: "sysctl", demand: { name: kernelName(key), value }, text: `sysctl ${key} = ${value}` };
}

/** Converts a key like `sysctl.d`: if a dot comes first, dots are separators and slashes are dots within a name. */
function kernelName(key: string): string {
  if (/^[^.]*\//.test(key)) return key;
  return key.replace(/[./]/g, (separator) => separator === "." ? "/" : ".");
}

function sysctl(parts: readonly DemandSpec[]): Action {
  return holdAction({
    kind: "sysctl",
    lasts: "domain",
    whiles: ["guest", "network", "port"],
    usesDocument: false,
    onError: undefined,
    parts: () => parts,
  });
}
