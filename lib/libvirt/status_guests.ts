/**
 * Guests that run, as libvirt's own status files have them: each with the call that a hook would answer if the guest's life
 * began now.
 * @module
 */
import { STATUS_DIRECTORY } from "./status_files.ts";
import { type HookCall, makeCall } from "./call.ts";
import type { Driver, Operation } from "./driver.ts";
import { drivers } from "./drivers.ts";
import { parseLibvirtDocument } from "./parse.ts";
import type { Sys } from "../sys/sys.ts";
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { textContent, type XmlDocument, type XmlElement } from "../xml/tree.ts";

/** A guest that runs, or why its status file does not say what it is. */
export type LiveGuest =
  | { readonly kind: "guest"; readonly call: HookCall }
  | { readonly kind: "unreadable"; readonly path: string; readonly reason: string };

const STATUS_BYTES_MAX = 16 * 1024 * 1024;

/** Reads every status file of every guest driver, one when it is asked for: all of them may not fit in memory. */
export function* readLiveGuests(sys: Sys): Generator<LiveGuest, void> {
  for (const driver of Object.values<Driver>(drivers).filter(({ object }) => object === "domain")) {
    const folder = `${STATUS_DIRECTORY}/${driver.name}`;
    for (const name of (sys.readDirectory(folder) ?? []).filter((each) => each.endsWith(".xml"))) {
      const path = `${folder}/${name}`;
      const guest = sys.lstat(path)?.kind === "file" ? readGuest(path, driver, sys) : undefined;
      // Where the file went while it was read, the guest has ended.
      if (guest !== undefined && (guest.kind === "guest" || sys.lstat(path) !== undefined)) yield guest;
    }
  }
}

/** Reads the status file of one guest; `undefined` where there is none, so that it does not run. */
export function readLiveGuest(driver: string, name: string, sys: Sys): LiveGuest | undefined {
  const path = `${STATUS_DIRECTORY}/${driver}/${name}.xml`;
  const known = Object.values<Driver>(drivers).find((one) => one.object === "domain" && one.name === driver);
  if (known === undefined || name.includes("/") || sys.lstat(path)?.kind !== "file") return undefined;
  return readGuest(path, known, sys);
}

function readGuest(path: string, driver: Driver, sys: Sys): LiveGuest {
  const started = driver.operations["started"];
  try {
    const status = parseLibvirtDocument(sys.readTextFile(path, STATUS_BYTES_MAX));
    const [domain, name] = [find("/domstatus/domain", status), find("/domstatus/domain/name", status)];
    if (started === undefined || domain === undefined || name === undefined) {
      return { kind: "unreadable", path, reason: "there is no guest in it" };
    }
    const document = new TextEncoder().encode(status.text.slice(domain.span.start, domain.span.end));
    return { kind: "guest", call: lifeCall(textContent(name), document, { driver, started, sys }) };
  } catch (error) {
    return { kind: "unreadable", path, reason: error instanceof Error ? error.message : String(error) };
  }
}

function find(path: string, document: XmlDocument): XmlElement | undefined {
  const [found] = select(parsePath(path), document);
  return found?.type === "element" ? found : undefined;
}

/** As `started`, for all that lasts: what `prepare` would acquire, too. */
function lifeCall(
  object: string,
  document: Uint8Array,
  { driver, started, sys }: { readonly driver: Driver; readonly started: Operation; readonly sys: Sys },
): HookCall {
  const facts: Operation = { ...started, lifetimes: ["domain", "running"] };
  const { subOperation } = facts;
  const invocation = { driver, object, operation: "started", subOperation, extra: "-", facts };
  return makeCall(invocation, facts, { host: sys.hostname(), document, parse: parseLibvirtDocument });
}
