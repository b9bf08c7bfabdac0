/**
 * Reads the text of a rules file and plans a call with it, as a hook does.
 * @module
 */
import { planCall } from "../../lib/app/decide.ts";
import { makeCall } from "../../lib/libvirt/call.ts";
import type { Driver, DriverName } from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { findOperation, parseInvocation } from "../../lib/libvirt/invocation.ts";
import { parseLibvirtDocument } from "../../lib/libvirt/parse.ts";
import type { Plan } from "../../lib/plan/plan.ts";
import { matchRules } from "../../lib/rules/match.ts";
import { issueLine } from "../../lib/rules/mistake.ts";
import { readRules } from "../../lib/rules/read.ts";

/** The call that is planned: by default `started` of a QEMU guest. */
interface CallOptions {
  readonly driver?: DriverName;
  readonly operation?: string;
  readonly document?: string;
  /** Whether the call has no time left. */
  readonly isLate?: () => boolean;
}

/** The mistakes in a file of rules, one line each; empty if there are none. */
export async function mistakesIn(text: string): Promise<readonly string[]> {
  const reading = await readRules([{ path: "rules.toml", text }]);
  return reading.kind === "broken" ? reading.issues.map(issueLine) : [];
}

/**
 * Plans a call.
 *
 * @throws {Error} if the rules have mistakes, or the driver has no such operation.
 */
export async function planFor(text: string, options: CallOptions = {}): Promise<Plan> {
  const reading = await readRules([{ path: "rules.toml", text }]);
  if (reading.kind !== "rules") throw new Error(reading.issues.map(issueLine).join("\n"));
  const driver: Driver = drivers[options.driver ?? "qemu"];
  const operation = options.operation ?? "started";
  const facts = findOperation(driver, operation);
  if (facts === undefined) throw new Error(`No operation "${operation}" of ${driver.name}`);
  const call = makeCall(parseInvocation(driver, ["x", operation, "begin", "-"]), facts, {
    ...{ host: "hv-01", document: new TextEncoder().encode(options.document ?? "") },
    parse: parseLibvirtDocument,
  });
  return planCall(await matchRules(reading.ruleSet, call, () => Promise.resolve(false)), call, options.isLate);
}
