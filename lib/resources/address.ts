/**
 * IP addresses on the host's devices, managed with `ip -json`. An address is present while at least one demand
 * requires it.
 * @module
 */
import * as v from "valibot";
import type { AddressDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { type Reading, type Resolution, resource, type ResourceChange, type WriteEnd } from "./resource.ts";
import { listAddresses } from "./ip_addresses.ts";
import { runTool } from "./run_tool.ts";

const TIMEOUT_MS = 3_000;

type Presence = "there" | "not there";

/** Addresses on host devices, as a resource kind. */
export const address = resource<AddressDemand, Presence>({
  name: "address",
  demand: v.object({ dev: v.string(), address: v.string() }),
  value: v.picklist(["there", "not there"]),
  restores: "absolute",
  tools: ["ip"],
  resolve,
  read: (key, sys) => read(parseKey(key), sys),
  wanted: () => ({ kind: "value", value: "there" }),
  write,
  describe: (value) => value,
});

function keyOf({ dev, address }: AddressDemand): string {
  return `address/${dev}/${address}`;
}

function parseKey(key: string): AddressDemand {
  const [, dev = "", ...address] = key.split("/");
  return { dev, address: address.join("/") };
}

async function resolve(demand: AddressDemand, sys: Sys): Promise<Resolution<AddressDemand>> {
  const reading = await read(demand, sys);
  return reading.kind === "value"
    ? { kind: "resolved", key: keyOf(demand), demand }
    : { kind: "refused", reason: reading.reason, hint: "see: ip address" };
}

async function read({ dev, address }: AddressDemand, sys: Sys): Promise<Reading<Presence>> {
  const listed = await listAddresses(["dev", dev], sys);
  if (listed === "no device") return { kind: "gone", reason: `there is no device ${dev}` };
  if (listed === undefined) return { kind: "unreadable", reason: `the addresses of ${dev} cannot be read` };
  const isThere = listed.some(({ local, prefixlen }) => `${local}/${prefixlen}` === address);
  return { kind: "value", value: isThere ? "there" : "not there" };
}

async function write({ key, to }: ResourceChange<Presence>, sys: Sys): Promise<WriteEnd<Presence>> {
  const { dev, address } = parseKey(key);
  // Without `nodad` the kernel does not use an IPv6 address until duplicate address detection has finished.
  const operation = to === "there"
    ? ["add", address, "dev", dev, ...(address.includes(":") ? ["nodad"] : [])]
    : ["del", address, "dev", dev];
  const end = await runTool(["ip", "address", ...operation], { timeoutMs: TIMEOUT_MS }, sys);
  return end.kind === "done" ? { kind: "written" } : { kind: end.kind, reason: end.reason };
}
