/**
 * What a call would do to what is held, asked of the host and the ledger as the hook asks. Nothing is changed, and no lock
 * is taken.
 * @module
 */
import { checkHolds } from "../app/check_holds.ts";
import { holderOf } from "../app/holder_of.ts";
import { type CheckedHold, demandPath, goesOn, type HolderQuery, ownOf, previousHolds } from "../app/previous_holds.ts";
import type { StoredDemand } from "../ledger/demand_file.ts";
import { predict, type Prediction } from "../ledger/predict.ts";
import { heldOf } from "../ledger/target.ts";
import type { Holder } from "../ledger/holder.ts";
import { demandsOf } from "../ledger/holds.ts";
import { hasLedger } from "../ledger/layout.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  inspectResource,
  inspectResources,
  observe,
  type ReadOnlyLedger,
  type ResourceSnapshot,
} from "../ledger/inspect.ts";
import { LedgerError } from "../ledger/ledger_error.ts";
import { reasonOf } from "../text/reason_of.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold, Intent } from "../plan/intent.ts";
import { visible } from "../text/quote.ts";
import type { Resource } from "../resources/resource.ts";
import { type CliContext, CommandError } from "./subcommand.ts";
import { givenBack } from "./given_back.ts";
import { convergedText } from "./terminal/format_holder.ts";
import { openReadOnly, readOnlyLedger } from "./ledger_access.ts";

/** What is told beneath an intent of the plan, and behind the plan. */
export interface HoldNotes {
  readonly beneath: ReadonlyMap<Intent, readonly string[]>;
  readonly behind: readonly string[];
  /** What exactly would be written, beneath the intent that brings it about. */
  readonly scripts: ReadonlyMap<Intent, readonly string[]>;
}

const NO_NOTES: HoldNotes = { beneath: new Map(), behind: [], scripts: new Map() };
const PLACEHOLDER_HOLDER = { pid: 0, startTime: "", name: "" };
const UNKNOWN_UUID = "00000000-0000-0000-0000-000000000000";

/** Whether telling that needs the document, which says whom the call is about. */
export function needsHolder(plan: readonly Intent[], call: HookCall, { sys }: CliContext): boolean {
  if (sys.uid() !== 0 || (call.domain === undefined && call.network === undefined)) return false;
  const { verb } = call.facts;
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return false;
  return hasLedger(sys) || plan.some(({ kind }) => kind === "hold");
}

/** Tells what a call with this plan would do to what is held. */
export async function explainHolds(
  plan: readonly Intent[],
  { call, ...life }: Pick<HolderQuery, "call" | "isAlive" | "keepsAll">,
  context: CliContext,
): Promise<HoldNotes> {
  const { verb } = call.facts;
  const holds = plan.filter((intent) => intent.kind === "hold");
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return NO_NOTES;
  if (context.sys.uid() !== 0) {
    return { ...NO_NOTES, behind: verb === "acquire" && holds.length === 0 ? [] : [needsRoot(context)] };
  }
  try {
    return await explainAsRoot(holds, call, { context, life });
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof LedgerError)) throw error;
    return { ...NO_NOTES, behind: [context.paint("red", `nothing can be held: ${visible(error.message)}`)] };
  }
}

function needsRoot({ paint }: CliContext): string {
  return paint("yellow", "what is held is root's to see: run as root, this also tells what it is now and would become");
}

async function explainAsRoot(
  holds: readonly Hold[],
  call: HookCall,
  { context, life }: Pick<ExplainContext, "context" | "life">,
): Promise<HoldNotes> {
  const look = await openReadOnly(context.sys);
  if (look.kind === "of-another-boot") {
    return { ...NO_NOTES, behind: ["the ledger is of another boot: the next hook call sets it aside unread"] };
  }
  const ledger = look.kind === "open" ? look.ledger : { daemon: PLACEHOLDER_HOLDER, notes: [], looksOnly: true };
  const view = readOnlyLedger(ledger, context);
  const resources = look.kind === "open" ? await inspectResources(view) : [];
  const scene: ExplainContext = { call, ledger, lookout: view, resources, context, life };
  const notes = call.facts.verb === "acquire" ? await explainAcquire(holds, scene) : await explainKept(scene);
  return { ...notes, behind: [...notes.behind, ...ledger.notes.map((note) => context.paint("yellow", visible(note)))] };
}

/** All that explaining looks at. */
interface ExplainContext {
  readonly call: HookCall;
  readonly ledger: Ledger;
  readonly lookout: ReadOnlyLedger;
  readonly resources: readonly ResourceSnapshot[];
  readonly context: CliContext;
  readonly life: Pick<HolderQuery, "isAlive" | "keepsAll">;
}

/** Who the call is about: as its document says, else everybody of that name in the ledger. */
function holdersOf({ call, resources }: ExplainContext): readonly Holder[] {
  if (call.document.length > 0) {
    const holder = holderOf(call);
    return holder === undefined ? [] : [holder];
  }
  const named = resources.flatMap(({ demands }) => demands.map(({ record }) => record.holder)).filter((holder) => {
    if (holder.name !== call.object) return false;
    return holder.kind === "domain"
      ? call.domain !== undefined && holder.driver === call.driver
      : call.network !== undefined;
  });
  return [...new Map(named.map((holder) => [holder.uuid, holder])).values()];
}

async function explainAcquire(holds: readonly Hold[], scene: ExplainContext): Promise<HoldNotes> {
  const { call, ledger, resources, context, life } = scene;
  if (holds.length === 0 && resources.length === 0) return NO_NOTES;
  const [known, another] = holdersOf(scene);
  const holder = known !== undefined && another === undefined ? known : placeholderHolder(call);
  if (holder === undefined) return { ...NO_NOTES, behind: ["the document says not whom it is about: nothing is held"] };
  const inquiry: HolderQuery = { holder, ledger, call, sys: context.sys, kinds: context.kinds, ...life };
  const { checked, failed } = await checkHolds(holds, inquiry);
  const own = ownOf(checked, call);
  const { obsolete: over, replaced } = await previousHolds(own, {
    ...inquiry,
    keepsAll: life.keepsAll || failed.length > 0,
  });
  const left = [...over, ...replaced];
  const beneath = new Map<Intent, readonly string[]>();
  for (const { intent, problem = "", hint } of failed) {
    const advice = hint === undefined ? "" : ` (${visible(hint)})`;
    beneath.set(intent, [context.paint("red", `would fail: ${problem}${advice}`)]);
  }
  const scripts = new Map<Intent, readonly string[]>();
  for (const one of checked) {
    const { lines, script } = await describeChecked(one, { own, left, scene });
    beneath.set(one.hold, lines);
    scripts.set(one.hold, script);
  }
  for (const hold of holds) if (!beneath.has(hold)) beneath.set(hold, [unchecked(hold, call)]);
  const unsure = call.document.length === 0 && known === undefined && resources.length > 0
    ? ["without the document on stdin it is taken for one that holds nothing yet"]
    : [];
  const back = givenBack(over, resources, context).map((line) => `first gives back what it still holds: ${line}`);
  return { beneath, behind: [...back, ...unsure], scripts };
}

/** Why the hook does not look at a hold. */
function unchecked({ lifetime }: Hold, { facts: { lifetimes } }: HookCall): string {
  const isDue = lifetimes.includes(lifetime) || lifetimes.includes("domain");
  return isDue ? "not looked at, as the call fails before" : "held since prepare: nothing is done about it here";
}

/** A guest or network that nobody has heard of, where the call does not say which. */
function placeholderHolder({ document, domain, network, driver }: HookCall): Holder | undefined {
  if (document.length > 0) return undefined;
  if (domain !== undefined) return { kind: "domain", driver, uuid: UNKNOWN_UUID, name: domain };
  return network === undefined ? undefined : { kind: "network", uuid: UNKNOWN_UUID, name: network };
}

/** What acquiring one hold changes, once those before it are acquired. */
async function describeChecked(
  one: CheckedHold,
  { own, left, scene }: {
    readonly own: readonly CheckedHold[];
    readonly left: readonly StoredDemand[];
    readonly scene: ExplainContext;
  },
): Promise<{ readonly lines: readonly string[]; readonly script: readonly string[] }> {
  const { context, lookout: view, call } = scene;
  const { resource, record: { demand } } = one.resolved;
  const warnings = await resource.findWarnings?.(demand, context.sys) ?? [];
  const note = [...one.resolved.note === undefined ? [] : [one.resolved.note], ...warnings].map(visible);
  const place = own.indexOf(one);
  if (place === -1) return { lines: [`only checked at ${call.operation}: held when it runs`, ...note], script: [] };
  const { folder, record } = one.resolved;
  const before = own.slice(0, place).filter(({ resolved }) => resolved.folder === folder);
  const known = await inspectResource(folder, view);
  const isFormer = one.resolved.resource.perLife === true && !goesOn({ call, ...scene.life });
  const snapshot = known === undefined || isFormer ? await unheld(one, view) : known;
  const former = isFormer ? formerLines(known, context) : [];
  const replaced = new Set([...[...before, one].map(demandPath), ...left.map(({ path }) => path)]);
  const stored = snapshot.demands.filter(({ path }) => !replaced.has(path));
  const prediction = predict(snapshot, [...stored, ...before.map(({ resolved }) => resolved), { record }].map(heldOf));
  // What is of one resource is written in one go, with the last of it.
  const isLast = own[place + 1]?.resolved.folder !== folder;
  return {
    lines: [...former, `now ${convergedText(prediction, context)}`, ...note],
    script: isLast ? await scriptOf(one.resolved.resource, prediction, context) : [],
  };
}

/** What an earlier life left of a resource that each life begins anew is undone before, and may not be. */
function formerLines(known: ResourceSnapshot | undefined, { paint }: CliContext): readonly string[] {
  // What it still holds is told behind the plan.
  if (known?.state === undefined || known.demands.length > 0) return [];
  const { problem } = known.state;
  const first = "first undoes what an earlier start did";
  if (problem === undefined) return [`${first}; this fails when that fails`];
  return [paint("red", `${first}; the last try failed, and this fails when the next one does: ${visible(problem)}`)];
}

/** What exactly would be written, where the kind of resource can tell. */
async function scriptOf(
  { preview: script }: Resource,
  { write }: Prediction,
  { sys }: CliContext,
): Promise<readonly string[]> {
  if (script === undefined || write === undefined) return [];
  try {
    return await script(write.from, write.to, sys);
  } catch (error) {
    return [`what exactly would be written cannot be told: ${reasonOf(error)}`];
  }
}

/** A resource that nobody holds. */
async function unheld(
  { resolved: { record, folder } }: CheckedHold,
  view: ReadOnlyLedger,
): Promise<ResourceSnapshot> {
  const { key, resource } = record;
  const state = undefined;
  return { key, resource, folder, state, demands: [], observation: await observe({ key, resource, state }, view) };
}

/** What a call does to demands that are in the ledger already. */
async function explainKept(scene: ExplainContext): Promise<HoldNotes> {
  const { call, lookout: view, resources, context } = scene;
  if (call.driver === "daemon") {
    const behind = resources.length === 0
      ? []
      : ['what is held is looked after too: "virt-hooks reconcile --dry-run" tells how'];
    return { ...NO_NOTES, behind };
  }
  const lines: string[] = [];
  for (const holder of holdersOf(scene)) {
    const demands = await demandsOf({ holder, lifetimes: call.facts.lifetimes }, view);
    lines.push(
      ...call.facts.verb === "release"
        ? givenBack(demands, resources, context)
        : ensuredText(demands, resources, context),
    );
  }
  const verb = call.facts.verb === "release" ? "gives back" : "looks after";
  return { ...NO_NOTES, behind: lines.length === 0 ? ["it holds nothing"] : lines.map((line) => `${verb} ${line}`) };
}

/** What ensuring demands would change, a line a resource. */
function ensuredText(
  demands: readonly StoredDemand[],
  resources: readonly ResourceSnapshot[],
  context: CliContext,
): readonly string[] {
  const own = new Set(demands.map(({ folder }) => folder));
  return resources.filter(({ folder }) => own.has(folder)).map((snapshot) =>
    convergedText(predict(snapshot, snapshot.demands.map(heldOf)), context)
  );
}
