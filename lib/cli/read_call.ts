/**
 * The call that a user describes in words.
 * @module
 */
import { type HookCall, makeCall } from "../libvirt/call.ts";
import type { Driver } from "../libvirt/driver.ts";
import { drivers } from "../libvirt/drivers.ts";
import { findOperation, parseInvocation } from "../libvirt/invocation.ts";
import { didYouMean } from "../rules/nearest.ts";
import { parseLibvirtDocument } from "../libvirt/parse.ts";
import { type CliContext, CommandError, USAGE_CODE } from "./subcommand.ts";

const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Makes the call of `DRIVER OBJECT OPERATION [SUB-OPERATION] [EXTRA]`; what is left out comes from the driver table.
 * @throws {CommandError} for a driver or an operation that does not exist
 */
export function readCall(words: readonly string[], document: Uint8Array, context: CliContext): HookCall {
  const [driverName = "", object = "", given = "", sub, extra = "-"] = words;
  const driver = findDriver(driverName);
  const renamed = parseInvocation(driver, [object, given, "-", extra]);
  const facts = findOperation(driver, renamed.operation);
  if (facts === undefined) {
    const operations = Object.keys(driver.operations);
    const hint = didYouMean(given, operations) ?? `its operations are ${operations.join(", ")}`;
    const message = `Cannot look at "${given}": the ${driver.name} driver has no such operation`;
    throw new CommandError(message, { hint, code: USAGE_CODE });
  }
  const invocation = { ...renamed, subOperation: sub ?? facts.subOperation };
  return makeCall(invocation, facts, { host: context.sys.hostname(), document, parse: parseLibvirtDocument });
}

function findDriver(name: string): Driver {
  const driver = Object.values<Driver>(drivers).find((candidate) => candidate.name === name);
  if (driver !== undefined) return driver;
  const names = Object.keys(drivers);
  const hint = [didYouMean(name, names), `The drivers are ${names.join(", ")}`]
    .filter((part) => part !== undefined).join(" ");
  throw new CommandError(`Cannot look at a call of "${name}": there is no such driver`, { hint, code: USAGE_CODE });
}

/**
 * Reads the document a user gives on stdin; empty where stdin is a terminal.
 * @throws {CommandError} when it is too long
 */
export function readDocument(context: CliContext): Uint8Array {
  if (context.terminal.stdinIsTerminal) return new Uint8Array();
  const input = context.sys.readStdin(DOCUMENT_BYTES_MAX);
  if (input.kind === "whole") return input.bytes;
  throw new CommandError(`Cannot read the document: it is longer than ${DOCUMENT_BYTES_MAX} bytes`);
}
