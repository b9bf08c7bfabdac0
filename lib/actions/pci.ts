/**
 * `pci = { devices = "hostdev" }`: PCI devices that are taken from the host and given to a guest during its lifetime.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { callUuid } from "../libvirt/call_uuid.ts";
import { hostPciDevices } from "../libvirt/hostdevs.ts";
import { parsePciAddress } from "../libvirt/pci_address.ts";
import type { PciDemand } from "../plan/demand.ts";
import type { OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleProblem } from "../config/rule_context.ts";
import { durationSchema } from "../config/duration.ts";
import { type DemandSpec, type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { lazily, tableSchema } from "../config/table_schema.ts";

interface PciConfig {
  /** Addresses, or all devices in the guest's XML. */
  readonly devices: readonly string[] | "hostdev";
  readonly driver: string | undefined;
  readonly holders: PciDemand["holders"];
  readonly timeoutMs: number | undefined;
  readonly onError: OnError | undefined;
}

/** How long to wait for users of a device, unless the rule sets it. */
const TIMEOUT_MS = 10_000;
/**
 * How long to wait if the rule does not wait for users: a service that was just stopped may still be closing devices.
 */
const CLOSING_MS = 1_000;

const DEVICES = '"hostdev", or a list of addresses such as "0000:01:00.0"';

/** Schema of `pci`. */
export function pciSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      devices: devicesSchema(),
      driver: v.optional(v.pipe(v.string("the name of a driver"), v.regex(/^[\w-]+$/, "the name of a driver"))),
      holders: v.optional(v.picklist(["fail", "wait", "stop"], '"fail", "wait" or "stop"'), "fail"),
      timeout: v.optional(durationSchema()),
      on_error: onErrorEntry(),
    }, 'a table with devices, such as { devices = "hostdev" }'),
    v.transform(({ devices, driver, holders, timeout: timeoutMs, on_error: onError }) =>
      pci({ devices, driver, holders, timeoutMs, onError })
    ),
  );
}

function devicesSchema(): v.GenericSchema<unknown, PciConfig["devices"]> {
  const list = lazily(() =>
    v.pipe(
      v.array(addressSchema(), DEVICES),
      v.minLength(1, "at least one address"),
      v.check((addresses) => new Set(addresses).size === addresses.length, "each device once"),
    )
  );
  const word = lazily(() => v.literal("hostdev", DEVICES));
  return v.lazy((input): v.GenericSchema<unknown, PciConfig["devices"]> => Array.isArray(input) ? list : word);
}

function addressSchema(): v.GenericSchema<unknown, string> {
  const expected = 'a PCI address such as "0000:01:00.0"';
  return v.pipe(
    v.string(expected),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const address = parsePciAddress(dataset.value);
      if (address !== undefined) return address;
      addIssue({ message: expected });
      return NEVER;
    }),
  );
}

function pci(config: PciConfig): Action {
  return holdAction({
    kind: "pci",
    lasts: "domain",
    whiles: ["guest"],
    usesDocument: true,
    onError: config.onError,
    findProblems: (_rule, hookPoints) => timeoutProblems(config, hookPoints),
    parts: (_rule, call) => pciParts(config, call),
  });
}

function timeoutProblems({ holders, timeoutMs }: PciConfig, hookPoints: readonly HookPoint[]): readonly RuleProblem[] {
  if (timeoutMs === undefined) return [];
  const found = `${timeoutMs / 1000} s`;
  if (holders === "fail") {
    return [{ path: ["timeout"], found, expected: 'no timeout, or holders = "wait" or "stop": "fail" does not wait' }];
  }
  const budgetMs = Math.max(...hookPoints.map((hookPoint) => hookPoint.budgetMs));
  if (timeoutMs <= budgetMs) return [];
  const expected = `${budgetMs / 1000} s at most, the time limit of a call here (settings.budgets can change it)`;
  return [{ path: ["timeout"], found, expected }];
}

/** Returns the driver for passthrough, which has another name under Xen. */
function driverOf({ driver }: PciConfig, call: HookCall): string {
  return driver ?? (call.driver === "libxl" ? "pciback" : "vfio-pci");
}

function pciParts(config: PciConfig, call: HookCall): DemandSpecs {
  const guest = callUuid(call);
  if (guest === undefined) return { problem: "the document on stdin has no UUID" };
  const inXml = new Map(hostPciDevices(call.xml().root).map(({ address, managed }) => [address, managed]));
  const addresses = config.devices === "hostdev" ? [...inXml.keys()] : config.devices;
  const { holders } = config;
  const timeoutMs = config.timeoutMs ?? (holders === "fail" ? CLOSING_MS : TIMEOUT_MS);
  const demands = addresses.map((address): PciDemand => {
    const managed = inXml.get(address) ?? false;
    return { address, driver: driverOf(config, call), holders, timeoutMs, managed, guest, together: addresses };
  });
  const consoles: readonly DemandSpec[] = holders === "stop" && demands.length > 0 ? [consolePart(addresses)] : [];
  return [...consoles, ...demands.map((demand): DemandSpec => ({ resource: "pci", demand, text: pciText(demand) }))];
}

function consolePart(devices: readonly string[]): DemandSpec {
  return {
    resource: "console",
    demand: { devices, framebuffers: [], terminals: false },
    text: `no text console on ${devices.join(", ")}`,
  };
}

const HOLDERS_TEXT = {
  fail: "refused while it is in use",
  wait: "once it is unused",
  stop: "programs that use it are ended",
} as const satisfies Record<PciDemand["holders"], string>;

function pciText({ address, driver, holders, managed }: PciDemand): string {
  const what = managed
    ? `PCI device ${address} free for libvirt, which manages it`
    : `PCI device ${address} with ${driver}`;
  return `${what} (${HOLDERS_TEXT[holders]})`;
}
