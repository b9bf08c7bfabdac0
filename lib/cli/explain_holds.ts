/**
 * What a call would do to what is held: the hook's own code, run on a copy-on-write view of this host.
 * @module
 */
import { acquireHolds } from "../app/holds/acquire.ts";
import { type CheckedHold, checkHolds, goesOn, ownOf } from "../app/holds/check.ts";
import { holderOf, type HolderSession } from "../app/holds/session.ts";
import { maintainHolds } from "../app/holds/maintain.ts";
import { isFatal, type Step } from "../app/outcome.ts";
import type { Converged } from "../ledger/converge.ts";
import { type Holder, holderId } from "../ledger/demand_file.ts";
import { hasLedger } from "../ledger/layout.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import { LedgerError } from "../ledger/file.ts";
import { allDemands } from "../ledger/reconcile.ts";
import { lookAtState } from "../ledger/state_file.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold, Intent } from "../plan/intent.ts";
import { type DryRun, dryRun, type RecordedWrite } from "../resources/dry_run.ts";
import { formatCount } from "../text/plural.ts";
import { reasonOf } from "../text/reason_of.ts";
import { visible } from "../text/quote.ts";
import { openReadOnly, patienceEnd } from "./ledger_access.ts";
import { dryConvergedText, releasedText } from "./released_text.ts";
import { type CliContext, CommandError } from "./subcommand.ts";

/** What is printed beneath an intent of the plan, and behind the plan. */
export interface HoldNotes {
  readonly beneath: ReadonlyMap<Intent, readonly string[]>;
  readonly behind: readonly string[];
  /** What exactly would be written, beneath the intent that brings it about. */
  readonly scripts: ReadonlyMap<Intent, readonly string[]>;
}

const NO_NOTES: HoldNotes = { beneath: new Map(), behind: [], scripts: new Map() };
const UNKNOWN_UUID = "00000000-0000-0000-0000-000000000000";

/** Whether explaining needs the document, which says which guest or network the call is about. */
export function needsHolder(plan: readonly Intent[], call: HookCall, { sys }: CliContext): boolean {
  if (sys.uid() !== 0 || (call.domain === undefined && call.network === undefined)) return false;
  const { verb } = call.facts;
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return false;
  return hasLedger(sys) || plan.some(({ kind }) => kind === "hold");
}

/** Whether the guest runs already, and keeps what the rules no longer ask for. */
type Life = Pick<HolderSession, "isAlive" | "keepsAll">;

/** Says what a call with this plan would do to what is held. */
export async function explainHolds(
  plan: readonly Intent[],
  { call, ...life }: Life & { readonly call: HookCall },
  context: CliContext,
): Promise<HoldNotes> {
  const { verb } = call.facts;
  const holds = plan.filter((intent) => intent.kind === "hold");
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return NO_NOTES;
  if (context.sys.uid() !== 0) {
    return { ...NO_NOTES, behind: verb === "acquire" && holds.length === 0 ? [] : [needsRoot(context)] };
  }
  try {
    return await explainAsRoot(holds, { call, life, context });
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof LedgerError)) throw error;
    return { ...NO_NOTES, behind: [context.paint("red", `nothing can be held: ${visible(error.message)}`)] };
  }
}

function needsRoot({ paint }: CliContext): string {
  return paint("yellow", "run as root to see the current values and what would change");
}

interface ExplainContext {
  readonly call: HookCall;
  readonly life: Life;
  readonly context: CliContext;
}

async function explainAsRoot(holds: readonly Hold[], explain: ExplainContext): Promise<HoldNotes> {
  const { call, context } = explain;
  const view = await openReadOnly(context.sys);
  if (view.kind === "of-another-boot") {
    return { ...NO_NOTES, behind: ["the ledger is of another boot: the next hook call sets it aside unread"] };
  }
  const notes = view.kind === "open" ? [...view.ledger.notes] : [];
  const holders = view.kind === "open" ? holdersIn({ ...context, notes, looksOnly: true }) : [];
  const run = dryRun(context);
  const explained = call.facts.verb === "acquire"
    ? await explainAcquire(holds, holders, { ...explain, run })
    : await explainMaintain(holders, { ...explain, run });
  return {
    ...explained,
    behind: [...explained.behind, ...notes.map((note) => context.paint("yellow", visible(note)))],
  };
}

function holdersIn(reader: Parameters<typeof allDemands>[0]): readonly Holder[] {
  const holders = allDemands(reader).map(({ record }) => record.holder);
  return [...new Map(holders.map((holder) => [holderId(holder), holder])).values()];
}

/** The holders that the call may be about: the one of its document, else all of that name in the ledger. */
function meantHolders(call: HookCall, holders: readonly Holder[]): readonly Holder[] {
  if (call.document.length > 0) {
    const holder = holderOf(call);
    return holder === undefined ? [] : [holder];
  }
  return holders.filter((holder) =>
    holder.name === call.object &&
    (holder.kind === "domain" ? call.domain !== undefined && holder.driver === call.driver : call.network !== undefined)
  );
}

/** A guest or network that holds nothing yet, where the call does not say which. */
function placeholderHolder({ document, domain, network, driver }: HookCall): Holder | undefined {
  if (document.length > 0) return undefined;
  if (domain !== undefined) return { kind: "domain", driver, uuid: UNKNOWN_UUID, name: domain };
  return network === undefined ? undefined : { kind: "network", uuid: UNKNOWN_UUID, name: network };
}

async function explainAcquire(
  holds: readonly Hold[],
  holders: readonly Holder[],
  { call, life, context, run }: ExplainContext & { readonly run: DryRun },
): Promise<HoldNotes> {
  if (holds.length === 0 && holders.length === 0) return NO_NOTES;
  const [known, another] = meantHolders(call, holders);
  const holder = known !== undefined && another === undefined ? known : placeholderHolder(call);
  if (holder === undefined) return { ...NO_NOTES, behind: ["the document has no UUID, so nothing is held"] };
  const session: HolderSession = { ...await sessionOf(run), ...life, holder, call };
  const { checked, failed } = await checkHolds(holds, session, { isComplete: true });
  const own = ownOf(checked, call);
  const former = new Map(checked.map((one) => [one.hold, previousLifeLines(one, { session, context })]));
  const keepsAll = life.keepsAll === true || failed.length > 0;
  const { steps, released } = await acquireHolds(own, { ...session, keepsAll }, { isSeparate: true });
  const beneath = new Map<Intent, readonly string[]>(failed.map((step) => [step.intent, refusalLines(step, context)]));
  for (const one of checked) {
    const step = steps.find(({ intent }) => intent === one.hold);
    const what = step === undefined
      ? `only checked at ${call.operation}: acquired when the guest runs`
      : `now ${stepText(step, { run, context })}`;
    beneath.set(one.hold, [...former.get(one.hold) ?? [], what, ...await notesOf(one, context)]);
  }
  for (const hold of holds) {
    if (!beneath.has(hold)) beneath.set(hold, ["held since prepare: no change"]);
  }
  const restarted = new Set(own.flatMap(({ resolved }) => resolved.resource.perLife ? [resolved.record.key] : []));
  const back = released.filter(({ key, end }) => end !== "unchanged" && !restarted.has(key))
    .map((result) => `first restores what it still holds: ${releasedText(result, { ...context, ...run })}`);
  const unsure = call.document.length === 0 && known === undefined && holders.length > 0
    ? ["no XML given: assuming that it holds nothing yet"]
    : [];
  const fatal = failed.filter(isFatal).length;
  const end = fatal === 0
    ? []
    : [context.paint("red", `${formatCount(fatal, "problem")}: the call would fail and hold nothing`)];
  return { beneath, behind: [...back, ...unsure, ...end], scripts: await scriptsOf(own, run.writes, context) };
}

/** The session that a hook would open, on the view. Its daemon is the caller, whatever its name. */
async function sessionOf({ sys, kinds }: DryRun): Promise<Omit<HolderSession, "holder" | "call">> {
  const ledger = await openLedger(sys, { make: true });
  const opened: Ledger = { notes: [], ...ledger, daemon: { pid: sys.ppid(), startTime: "", name: "libvirtd" } };
  return { sys, kinds, ledger: opened, deadlineMs: patienceEnd(sys), [Symbol.dispose]: () => {} };
}

function refusalLines({ problem = "", hint }: Step, { paint }: CliContext): readonly string[] {
  const advice = hint === undefined ? "" : ` (${visible(hint)})`;
  return [paint("red", `would fail: ${problem}${advice}`)];
}

function stepText(
  { end, resource, change, problem, intent, hint }: Step,
  { run, context }: { readonly run: DryRun; readonly context: CliContext },
): string {
  const key = resource ?? intent.kind;
  const failed: Converged = { key, end: end === "late" ? "late" : "failed", problem: problem ?? end, hint };
  const done: Converged = change === undefined ? { key, end: "unchanged" } : { key, end: "changed", change };
  return dryConvergedText(end === "done" ? done : failed, { ...context, ...run });
}

async function notesOf({ resolved }: CheckedHold, { sys }: CliContext): Promise<readonly string[]> {
  const { resource, record, note } = resolved;
  const warnings = await resource.findWarnings?.(record.demand, sys) ?? [];
  return [...note === undefined ? [] : [note], ...warnings].map(visible);
}

/** What an earlier life left of a resource that each life begins anew is undone before, and may not be. */
function previousLifeLines(
  { resolved: { resource, folder, name } }: CheckedHold,
  { session, context: { paint } }: { readonly session: HolderSession; readonly context: CliContext },
): readonly string[] {
  if (resource.perLife !== true || goesOn(session)) return [];
  const reading = lookAtState(folder, session.sys);
  // What the holder has of it by the ledger is told behind the plan.
  const isHeld = allDemands({ ...session, notes: [], looksOnly: true })
    .some((stored) => stored.folder === folder && stored.path.endsWith(`/${name}`));
  if (reading.kind !== "data" || isHeld) return [];
  const { problem } = reading.data;
  const first = "first undoes what an earlier start did";
  if (problem === undefined) return [`${first}; this fails when that fails`];
  return [paint("red", `${first}; the last try failed, and this fails when the next one does: ${visible(problem)}`)];
}

/** What exactly would be written, with the last hold of each resource: a hook changes one resource with one write. */
async function scriptsOf(
  own: readonly CheckedHold[],
  writes: readonly RecordedWrite[],
  { sys }: CliContext,
): Promise<ReadonlyMap<Intent, readonly string[]>> {
  const scripts = new Map<Intent, readonly string[]>();
  for (const [index, { hold, resolved: { record: { key } } }] of own.entries()) {
    const ofKey = writes.filter((write) => write.key === key);
    const [first, last] = [ofKey[0], ofKey.at(-1)];
    const isLast = own.slice(index + 1).every((other) => other.resolved.record.key !== key);
    if (!isLast || first === undefined || last?.resource.preview === undefined) continue;
    try {
      scripts.set(hold, await last.resource.preview(first.from, last.to, sys));
    } catch (error) {
      scripts.set(hold, [`what exactly would be written cannot be told: ${reasonOf(error)}`]);
    }
  }
  return scripts;
}

/** What a call does to demands that are in the ledger already. */
async function explainMaintain(
  holders: readonly Holder[],
  { call, context, run }: ExplainContext & { readonly run: DryRun },
): Promise<HoldNotes> {
  if (call.driver === "daemon") {
    const behind = holders.length === 0 ? [] : ['holds are reconciled too: "virt-hooks reconcile --dry-run" shows how'];
    return { ...NO_NOTES, behind };
  }
  const [verb, textOf] = call.facts.verb === "release"
    ? ["restores", releasedText] as const
    : ["ensures", dryConvergedText] as const;
  const lines: string[] = [];
  for (const holder of meantHolders(call, holders)) {
    const reader = { sys: run.sys, notes: [], looksOnly: true };
    const own = new Set(
      allDemands(reader).filter(({ record }) => holderId(record.holder) === holderId(holder))
        .map(({ record }) => record.key),
    );
    const { results } = await maintainHolds(call, { deadlineMs: patienceEnd(run.sys), done: [], holder }, run);
    const changed = results.filter(({ key, end }) => own.has(key) || end !== "unchanged");
    lines.push(...changed.map((result) => `${verb} ${textOf(result, { ...context, ...run })}`));
  }
  return { ...NO_NOTES, behind: lines.length === 0 ? ["it holds nothing"] : lines };
}
