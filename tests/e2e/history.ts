/**
 * The hooks' own history as tests read it, and the order of operations they expect in it.
 * @module
 */
import { drivers } from "../../lib/libvirt/drivers.ts";
import type { HistoryAction, HistoryHold } from "../../lib/app/history.ts";
import type { Driver, DriverName } from "../../lib/libvirt/driver.ts";

/** The fields of a history line that tests look at. */
export interface HistoryLine {
  readonly level: string;
  readonly message: string;
  readonly driver: string;
  readonly object: string;
  readonly operation: string;
  readonly subOperation: string;
  readonly extra: string;
  readonly verb: string;
  readonly outcome: string;
  readonly exitCode: number;
  readonly durationMs: number;
  readonly actions: readonly HistoryAction[];
  readonly holds?: readonly HistoryHold[];
  readonly notes?: readonly string[];
}

const TEXTS = [
  "level",
  "datetime",
  "message",
  "driver",
  "object",
  "operation",
  "subOperation",
  "extra",
  "verb",
  "outcome",
];
const NUMBERS = ["exitCode", "durationMs"];

/**
 * Reads a history file.
 *
 * @throws {Error} when a line is not JSON or lacks a field.
 */
export function parseHistory(text: string): readonly HistoryLine[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) throw new Error(`Cannot read a history line: ${line}`);
    const fields = value as Readonly<Record<string, unknown>>;
    const wrong = [
      // A command of an administrator does nothing that libvirt asked for.
      ...TEXTS.filter((name) =>
        typeof fields[name] !== "string" && !(name === "verb" && fields["driver"] === "virt-hooks")
      ),
      ...NUMBERS.filter((name) => typeof fields[name] !== "number"),
      ...["rules", "actions"].filter((name) => !(name in fields)),
    ];
    if (wrong.length > 0) throw new Error(`Cannot read a history line: no proper ${wrong.join(", ")} in ${line}`);
    return value as HistoryLine;
  });
}

/** One history line in short: driver, object, operation, sub-operation and verb. */
export function inShort(line: HistoryLine): string {
  return [line.driver, line.object, line.operation, line.subOperation, line.verb].join(" ");
}

/** The short lines that libvirt's calls of these operations must leave, by the table of drivers. */
export function expected(driver: DriverName, object: string, operations: readonly string[]): readonly string[] {
  const table: Driver = drivers[driver];
  return operations.map((name) => {
    const operation = table.operations[name];
    if (operation === undefined) throw new Error(`Cannot expect "${name}" of ${driver}: not in its table`);
    return [driver, object, name, operation.subOperation, operation.verb].join(" ");
  });
}

/**
 * Each line once, where it came first. libvirt 9 may call a container's `stopped` and `release` twice: once for who
 * destroyed it, once for the end of its controller that the daemon noticed meanwhile.
 */
export function onceEach(lines: readonly string[]): readonly string[] {
  return [...new Set(lines)];
}
