/**
 * Units of systemd. All holders of a unit must require the same state: stopped or running.
 * @module
 */
import * as v from "valibot";
import type { ServiceDemand } from "../plan/demand.ts";
import { whyProtected } from "../config/protected_units.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import {
  type Reading,
  type Resolution,
  resource,
  type ResourceChange,
  type SavedState,
  type WriteEnd,
} from "./resource.ts";
import { runTool } from "./run_tool.ts";
import { isSystemdHost, showUnits, type UnitFacts } from "./systemctl.ts";

/** The first two can be demanded. The others are transitions and count as the state they lead to. */
type ServiceState = ServiceDemand["state"] | "starting" | "stopping";

const PREFIX = "service/";
const SYSTEMCTL_TIMEOUT_MS = 5_000;
const [FIRST_POLL_MS, LONGEST_POLL_MS] = [50, 500];
const PROPERTIES = ["Id", "LoadState", "ActiveState", "Job", "TriggeredBy"] as const;

const TEXTS = {
  active: "running",
  inactive: "stopped",
  starting: "starting",
  stopping: "stopping",
} as const satisfies Record<ServiceState, string>;

/** Units of systemd, as a resource kind. */
export const service = resource<ServiceDemand, ServiceState>({
  name: "service",
  demand: v.object({ unit: v.string(), state: v.picklist(["active", "inactive"]) }),
  value: v.picklist(["active", "inactive", "starting", "stopping"]),
  restores: "difference",
  tools: ["systemctl"],
  resolve,
  read: (key, sys) => readUnit(key.slice(PREFIX.length), sys),
  wanted: (_original, held) => unanimous(held, { value: ({ state }) => state, text: ({ state }) => TEXTS[state] }),
  rebase,
  write,
  describe: (value) => TEXTS[value],
});

async function resolve(demand: ServiceDemand, sys: Sys): Promise<Resolution<ServiceDemand>> {
  if (!isSystemdHost(sys)) return { kind: "refused", reason: "this host does not run systemd" };
  const facts = await readFacts(demand.unit, sys);
  if (typeof facts === "string") return { kind: "refused", reason: facts };
  const { LoadState: load = "", Id: id = demand.unit } = facts;
  const hint = "see: systemctl list-unit-files";
  const protection = whyProtected(id);
  if (protection !== undefined) {
    return { kind: "refused", reason: `${demand.unit} is ${id}, and a rule may touch ${protection}` };
  }
  if (load === "not-found") return { kind: "refused", reason: `systemd knows no unit ${demand.unit}`, hint };
  const [isUnusable, mustRun] = [load !== "loaded", demand.state === "active"];
  if (isUnusable && mustRun) {
    return { kind: "refused", reason: `${demand.unit} is ${load}, so it cannot be started`, hint };
  }
  const note = mustRun ? undefined : await triggerNote(demand.unit, facts, sys);
  // A unit may have several names; all holders get the same resource.
  const resolved = { kind: "resolved", key: `${PREFIX}${id}`, demand: { ...demand, unit: id } } as const;
  return note === undefined ? resolved : { ...resolved, note };
}

async function readFacts(unit: string, sys: Sys): Promise<UnitFacts | string> {
  const facts = await showUnits([unit], PROPERTIES, sys);
  return typeof facts === "string" ? facts : facts[0] ?? {};
}

/** Warns about active sockets and timers that can start a stopped unit again. */
async function triggerNote(unit: string, { TriggeredBy = "" }: UnitFacts, sys: Sys): Promise<string | undefined> {
  const triggers = TriggeredBy.split(" ").filter((name) => name !== "");
  if (triggers.length === 0) return undefined;
  const facts = await showUnits(triggers, ["ActiveState"], sys);
  const active = triggers.filter((_name, index) =>
    typeof facts !== "string" && facts[index]?.["ActiveState"] === "active"
  );
  if (active.length === 0) return undefined;
  return `${unit} is stopped, but ${active.join(", ")} can start it again: stop that too`;
}

async function readUnit(unit: string, sys: Sys): Promise<Reading<ServiceState>> {
  const facts = await readFacts(unit, sys);
  if (typeof facts === "string") return { kind: "unreadable", reason: facts };
  if (facts["LoadState"] === "not-found" && stateOf(facts) === "inactive") {
    return { kind: "gone", reason: `systemd knows no unit ${unit} any more` };
  }
  return { kind: "value", value: stateOf(facts) };
}

/** Determines the state. A queued or running job means that the state is not final. */
function stateOf({ ActiveState: state = "", Job: job = "0" }: UnitFacts): ServiceState {
  if (state === "deactivating") return "stopping";
  const isOn = state === "active" || state === "reloading" || state === "refreshing";
  if (state === "activating" || job !== "0" && job !== "") return "starting";
  return isOn ? "active" : "inactive";
}

function targetStateOf(value: ServiceState): ServiceDemand["state"] {
  return value === "active" || value === "starting" ? "active" : "inactive";
}

/** Updates the original: a state that another program set in the meantime becomes the one that is restored. */
function rebase({ original, written, pending }: SavedState<ServiceState>, actual: ServiceState): ServiceState {
  const known = [original, written, pending].flatMap((value) => value === undefined ? [] : [targetStateOf(value)]);
  return targetStateOf(known.includes(targetStateOf(actual)) ? original : actual);
}

async function write(change: ResourceChange<ServiceState>, sys: Sys): Promise<WriteEnd<ServiceState>> {
  const unit = change.key.slice(PREFIX.length);
  const [verb, participle] = change.to === "active" ? ["start", "started"] as const : ["stop", "stopped"] as const;
  const timeoutMs = Math.min(SYSTEMCTL_TIMEOUT_MS, change.deadlineMs - sys.elapsedMs());
  const end = await runTool(["systemctl", "--no-block", verb, "--", unit], { timeoutMs }, sys);
  if (end.kind === "stuck") return end;
  if (end.kind === "failed") {
    const isShutdown = change.to === targetStateOf(change.saved.original) && await isShuttingDown(sys);
    return isShutdown
      ? { kind: "applied", value: change.from, note: `not ${participle} again, as the host is shutting down` }
      : { kind: "failed", reason: end.reason };
  }
  return await waitForState(unit, change, sys);
}

/** Whether the host is shutting down: systemd then refuses to start units. */
async function isShuttingDown(sys: Sys): Promise<boolean> {
  const end = await runTool(["systemctl", "is-system-running"], { timeoutMs: SYSTEMCTL_TIMEOUT_MS }, sys);
  return end.kind !== "stuck" && end.stdout.trim() === "stopping";
}

/** Polls until the unit has the target state, has come to rest in another state, or the deadline is reached. */
async function waitForState(
  unit: string,
  { to, deadlineMs }: ResourceChange<ServiceState>,
  sys: Sys,
): Promise<WriteEnd<ServiceState>> {
  const hint = `see: systemctl status ${unit}`;
  for (let pollMs = FIRST_POLL_MS;; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const reading = await readUnit(unit, sys);
    if (reading.kind !== "value") return { kind: "failed", reason: reading.reason };
    if (reading.value === to) return { kind: "written" };
    const isInTransition = reading.value === "starting" || reading.value === "stopping";
    if (!isInTransition) return { kind: "failed", reason: `it is ${TEXTS[reading.value]}, not ${TEXTS[to]}`, hint };
    if (sys.elapsedMs() + pollMs > deadlineMs) {
      return { kind: "failed", reason: `it is still ${TEXTS[reading.value]} at the deadline`, hint };
    }
    await sys.sleep(pollMs);
  }
}
