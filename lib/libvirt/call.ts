/**
 * One hook call: what libvirt asked and the document it sent along.
 * @module
 */
import type { XmlDocument } from "../xml/tree.ts";
import type { DriverName, Operation } from "./driver.ts";
import type { Invocation } from "./invocation.ts";

/** A call of an operation that we know. */
export interface HookCall {
  readonly driver: DriverName;
  readonly object: string;
  readonly operation: string;
  readonly subOperation: string;
  readonly extra: string;
  readonly facts: Operation;
  /** The guest's name, where the object is a guest. */
  readonly domain: string | undefined;
  /** The network's name, where the object is one. */
  readonly network: string | undefined;
  /** Why the guest stopped, where libvirt says so (`release`, since 10.5.0). */
  readonly reason: string | undefined;
  /** This host's name. */
  readonly host: string;
  /** What came on stdin: the guest's or the network's XML; only its head where it is `cut`. */
  readonly document: Uint8Array;
  /** Set where the document is longer than what is kept of it. */
  readonly cut?: true;
  /**
   * The document, parsed when it is first looked at.
   * @throws {XmlSyntaxError} when it is not XML that we read
   * @throws {XmlLimitError} when it is too long
   */
  xml(): XmlDocument;
}

/** Parses a document: passed in, since a call whose document is not used does not load a parser. */
export type ParseDocument = (bytes: Uint8Array) => XmlDocument;

/** Puts a call together from what libvirt asked, its operation's facts and what came with it. */
export function makeCall(
  invocation: Invocation,
  facts: Operation,
  given: {
    readonly host: string;
    readonly document: Uint8Array;
    readonly cut?: true | undefined;
    readonly parse: ParseDocument;
  },
): HookCall {
  const { driver, object, operation, subOperation, extra } = invocation;
  let parsed: XmlDocument | undefined;
  return {
    driver: driver.name,
    object,
    operation,
    subOperation,
    extra,
    facts,
    domain: driver.object === "domain" ? object : undefined,
    network: driver.object === "network" ? object : undefined,
    reason: driver.reasonAt.includes(operation) && extra !== "-" ? extra : undefined,
    host: given.host,
    document: given.document,
    ...(given.cut === undefined ? {} : { cut: given.cut }),
    xml: () => parsed ??= given.parse(given.document),
  };
}
