/**
 * Units of systemd. All holders of a unit must want the same: stopped, or running.
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

/** The first two can be wanted; the others are on their way, and counted as where they go. */
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

/** The kind. */
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
  if (!isSystemdHost(sys)) return { kind: "refused", reason: "this host is not run by systemd" };
  const facts = await factsOf(demand.unit, sys);
  if (typeof facts === "string") return { kind: "refused", reason: facts };
  const { LoadState: load = "", Id: id = demand.unit } = facts;
  const hint = "see: systemctl list-unit-files";
  const untouchable = whyProtected(id);
  if (untouchable !== undefined) {
    return { kind: "refused", reason: `${demand.unit} is ${id}, and a rule may touch ${untouchable}` };
  }
  if (load === "not-found") return { kind: "refused", reason: `systemd knows no unit ${demand.unit}`, hint };
  const [isOff, wantsOn] = [load !== "loaded", demand.state === "active"];
  if (isOff && wantsOn) return { kind: "refused", reason: `${demand.unit} is ${load}, so it cannot be started`, hint };
  const note = wantsOn ? undefined : await restarters(demand.unit, facts, sys);
  // Of a unit with several names, all holders mean the one thing.
  const resolved = { kind: "resolved", key: `${PREFIX}${id}`, demand: { ...demand, unit: id } } as const;
  return note === undefined ? resolved : { ...resolved, note };
}

async function factsOf(unit: string, sys: Sys): Promise<UnitFacts | string> {
  const answer = await showUnits([unit], PROPERTIES, sys);
  return typeof answer === "string" ? answer : answer[0] ?? {};
}

/** Which sockets and timers may start a stopped unit again behind everybody's back. */
async function restarters(unit: string, { TriggeredBy = "" }: UnitFacts, sys: Sys): Promise<string | undefined> {
  const triggers = TriggeredBy.split(" ").filter((name) => name !== "");
  if (triggers.length === 0) return undefined;
  const answers = await showUnits(triggers, ["ActiveState"], sys);
  const active = triggers.filter((_name, index) =>
    typeof answers !== "string" && answers[index]?.["ActiveState"] === "active"
  );
  if (active.length === 0) return undefined;
  return `${unit} is stopped, but ${active.join(", ")} can start it again: stop that too`;
}

async function readUnit(unit: string, sys: Sys): Promise<Reading<ServiceState>> {
  const facts = await factsOf(unit, sys);
  if (typeof facts === "string") return { kind: "unreadable", reason: facts };
  if (facts["LoadState"] === "not-found" && stateOf(facts) === "inactive") {
    return { kind: "gone", reason: `systemd knows no unit ${unit} any more` };
  }
  return { kind: "value", value: stateOf(facts) };
}

/** A job that waits or runs means that the state is not final, whatever it is. */
function stateOf({ ActiveState: state = "", Job: job = "0" }: UnitFacts): ServiceState {
  if (state === "deactivating") return "stopping";
  const isOn = state === "active" || state === "reloading" || state === "refreshing";
  if (state === "activating" || job !== "0" && job !== "") return "starting";
  return isOn ? "active" : "inactive";
}

function headingOf(value: ServiceState): ServiceDemand["state"] {
  return value === "active" || value === "starting" ? "active" : "inactive";
}

/** Whoever started or stopped it meanwhile decides what it is afterwards. */
function rebase({ original, written, pending }: SavedState<ServiceState>, actual: ServiceState): ServiceState {
  const known = [original, written, pending].flatMap((value) => value === undefined ? [] : [headingOf(value)]);
  return headingOf(known.includes(headingOf(actual)) ? original : actual);
}

async function write(change: ResourceChange<ServiceState>, sys: Sys): Promise<WriteEnd<ServiceState>> {
  const unit = change.key.slice(PREFIX.length);
  const [verb, word] = change.to === "active" ? ["start", "started"] as const : ["stop", "stopped"] as const;
  const timeoutMs = Math.min(SYSTEMCTL_TIMEOUT_MS, change.deadlineMs - sys.elapsedMs());
  const end = await runTool(["systemctl", "--no-block", verb, "--", unit], { timeoutMs }, sys);
  if (end.kind === "stuck") return end;
  if (end.kind === "failed") {
    const goesDown = change.to === headingOf(change.saved.original) && await isGoingDown(sys);
    return goesDown
      ? { kind: "stands", value: change.from, note: `not ${word} again, as the host is shutting down` }
      : { kind: "failed", reason: end.reason };
  }
  return await arrival(unit, change, sys);
}

/** systemd starts nothing any more. */
async function isGoingDown(sys: Sys): Promise<boolean> {
  const end = await runTool(["systemctl", "is-system-running"], { timeoutMs: SYSTEMCTL_TIMEOUT_MS }, sys);
  return end.kind !== "stuck" && end.stdout.trim() === "stopping";
}

/** Looks until the unit is where it shall be, came to rest elsewhere, or time is up. */
async function arrival(
  unit: string,
  { to, deadlineMs }: ResourceChange<ServiceState>,
  sys: Sys,
): Promise<WriteEnd<ServiceState>> {
  const hint = `see: systemctl status ${unit}`;
  for (let pollMs = FIRST_POLL_MS;; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const reading = await readUnit(unit, sys);
    if (reading.kind !== "value") return { kind: "failed", reason: reading.reason };
    if (reading.value === to) return { kind: "written" };
    const isMoving = reading.value === "starting" || reading.value === "stopping";
    if (!isMoving) return { kind: "failed", reason: `it is ${TEXTS[reading.value]}, not ${TEXTS[to]}`, hint };
    if (sys.elapsedMs() + pollMs > deadlineMs) {
      return { kind: "failed", reason: `it is still ${TEXTS[reading.value]} when time is up`, hint };
    }
    await sys.sleep(pollMs);
  }
}
