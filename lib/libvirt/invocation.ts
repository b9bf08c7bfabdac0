/**
 * libvirt's four arguments, read by their count and never by what they look like: a guest may be called `--version`.
 * @module
 */
import type { Driver, Operation } from "./driver.ts";

/** What libvirt asked: the driver and its four arguments, with old operation names replaced by today's. */
export interface Invocation {
  readonly driver: Driver;
  /** The guest's or the network's name; `-` for the daemon. */
  readonly object: string;
  readonly operation: string;
  readonly subOperation: string;
  readonly extra: string;
  /** What we know of the operation; `undefined` for one that a newer libvirt may have. */
  readonly facts: Operation | undefined;
}

/** The arguments are not those of a hook call. */
export class InvocationError extends Error {
  override readonly name = "InvocationError";
}

/**
 * Reads `object operation sub-operation extra` (`virHookCall`, `src/util/virhook.c`: always four, `-` for none).
 * @throws {InvocationError} when there are not four arguments
 */
export function parseInvocation(driver: Driver, args: readonly string[]): Invocation {
  const [object, given, subOperation, extra] = args;
  if (
    args.length !== 4 || object === undefined || given === undefined || subOperation === undefined ||
    extra === undefined
  ) {
    throw new InvocationError(`Cannot read the hook call as it must have 4 arguments: got ${args.length}`);
  }
  const operation = Object.hasOwn(driver.renamed, given) ? driver.renamed[given] ?? given : given;
  return { driver, object, operation, subOperation, extra, facts: findOperation(driver, operation) };
}

/** The facts of an operation, also for a word that JavaScript objects inherit, such as `constructor`. */
export function findOperation(driver: Driver, operation: string): Operation | undefined {
  return Object.hasOwn(driver.operations, operation) ? driver.operations[operation] : undefined;
}
