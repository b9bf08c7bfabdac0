/**
 * What a call would do to what is held, asked of the host and the ledger as the hook asks. Nothing is changed, and no lock
 * is taken.
 * @module
 */
import { checkHolds } from "../app/check_holds.ts";
import { holderOf } from "../app/holder_of.ts";
import { type Checked, demandPath, goesOn, type Inquiry, leftovers, ownOf } from "../app/leftovers.ts";
import type { FiledDemand } from "../ledger/demand_file.ts";
import { foresee, type Foreseen } from "../ledger/foresee.ts";
import { heldOf } from "../ledger/goal.ts";
import type { Holder } from "../ledger/holder.ts";
import { demandsOf } from "../ledger/holds.ts";
import { hasLedger } from "../ledger/layout.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type Lookout, standingOf, type Surveyed, surveyResource, surveyResources } from "../ledger/survey.ts";
import { LedgerError } from "../ledger/ledger_error.ts";
import { reasonOf } from "../text/reason_of.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold, Intent } from "../plan/intent.ts";
import { visible } from "../text/quote.ts";
import type { Resource } from "../resources/resource.ts";
import { CommandError, type Desk } from "./subcommand.ts";
import { givenBack } from "./given_back.ts";
import { convergedText } from "./terminal/format_holder.ts";
import { lookoutOn, openForLook } from "./ledger_access.ts";

/** What is told beneath an intent of the plan, and behind the plan. */
export interface HoldNotes {
  readonly beneath: ReadonlyMap<Intent, readonly string[]>;
  readonly behind: readonly string[];
  /** What exactly would be written, beneath the intent that brings it about. */
  readonly scripts: ReadonlyMap<Intent, readonly string[]>;
}

const NO_NOTES: HoldNotes = { beneath: new Map(), behind: [], scripts: new Map() };
const NOBODY = { pid: 0, startTime: "", name: "" };
const UNKNOWN_UUID = "00000000-0000-0000-0000-000000000000";

/** Whether telling that needs the document, which says whom the call is about. */
export function asksWhose(plan: readonly Intent[], call: HookCall, { sys }: Desk): boolean {
  if (sys.uid() !== 0 || (call.domain === undefined && call.network === undefined)) return false;
  const { verb } = call.facts;
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return false;
  return hasLedger(sys) || plan.some(({ kind }) => kind === "hold");
}

/** Tells what a call with this plan would do to what is held. */
export async function explainHolds(
  plan: readonly Intent[],
  { call, ...life }: Pick<Inquiry, "call" | "isAlive" | "keepsAll">,
  desk: Desk,
): Promise<HoldNotes> {
  const { verb } = call.facts;
  const holds = plan.filter((intent) => intent.kind === "hold");
  if (verb !== "acquire" && verb !== "release" && verb !== "ensure") return NO_NOTES;
  if (desk.sys.uid() !== 0) {
    return { ...NO_NOTES, behind: verb === "acquire" && holds.length === 0 ? [] : [needsRoot(desk)] };
  }
  try {
    return await explainAsRoot(holds, call, { desk, life });
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof LedgerError)) throw error;
    return { ...NO_NOTES, behind: [desk.paint("red", `nothing can be held: ${visible(error.message)}`)] };
  }
}

function needsRoot({ paint }: Desk): string {
  return paint("yellow", "what is held is root's to see: run as root, this also tells what it is now and would become");
}

async function explainAsRoot(
  holds: readonly Hold[],
  call: HookCall,
  { desk, life }: Pick<Scene, "desk" | "life">,
): Promise<HoldNotes> {
  const look = await openForLook(desk.sys);
  if (look.kind === "of-another-boot") {
    return { ...NO_NOTES, behind: ["the ledger is of another boot: the next hook call sets it aside unread"] };
  }
  const ledger = look.kind === "open" ? look.ledger : { daemon: NOBODY, notes: [], looksOnly: true };
  const lookout = lookoutOn(ledger, desk.sys);
  const resources = look.kind === "open" ? await surveyResources(lookout) : [];
  const scene: Scene = { call, ledger, lookout, resources, desk, life };
  const notes = call.facts.verb === "acquire" ? await explainAcquire(holds, scene) : await explainKept(scene);
  return { ...notes, behind: [...notes.behind, ...ledger.notes.map((note) => desk.paint("yellow", visible(note)))] };
}

/** All that explaining looks at. */
interface Scene {
  readonly call: HookCall;
  readonly ledger: Ledger;
  readonly lookout: Lookout;
  readonly resources: readonly Surveyed[];
  readonly desk: Desk;
  readonly life: Pick<Inquiry, "isAlive" | "keepsAll">;
}

/** Who the call is about: as its document says, else everybody of that name in the ledger. */
function holdersOf({ call, resources }: Scene): readonly Holder[] {
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

async function explainAcquire(holds: readonly Hold[], scene: Scene): Promise<HoldNotes> {
  const { call, ledger, resources, desk, life } = scene;
  if (holds.length === 0 && resources.length === 0) return NO_NOTES;
  const [known, another] = holdersOf(scene);
  const holder = known !== undefined && another === undefined ? known : somebody(call);
  if (holder === undefined) return { ...NO_NOTES, behind: ["the document says not whom it is about: nothing is held"] };
  const inquiry: Inquiry = { holder, ledger, call, sys: desk.sys, ...life };
  const { checked, failed } = await checkHolds(holds, inquiry);
  const own = ownOf(checked, call);
  const { over, replaced } = await leftovers(own, { ...inquiry, keepsAll: life.keepsAll || failed.length > 0 });
  const left = [...over, ...replaced];
  const beneath = new Map<Intent, readonly string[]>();
  for (const { intent, problem = "", hint } of failed) {
    const advice = hint === undefined ? "" : ` (${visible(hint)})`;
    beneath.set(intent, [desk.paint("red", `would fail: ${problem}${advice}`)]);
  }
  const scripts = new Map<Intent, readonly string[]>();
  for (const one of checked) {
    const { lines, script } = await tellChecked(one, { own, left, scene });
    beneath.set(one.hold, lines);
    scripts.set(one.hold, script);
  }
  for (const hold of holds) if (!beneath.has(hold)) beneath.set(hold, [unchecked(hold, call)]);
  const unsure = call.document.length === 0 && known === undefined && resources.length > 0
    ? ["without the document on stdin it is taken for one that holds nothing yet"]
    : [];
  const back = givenBack(over, resources, desk).map((line) => `first gives back what it still holds: ${line}`);
  return { beneath, behind: [...back, ...unsure], scripts };
}

/** Why the hook does not look at a hold. */
function unchecked({ lifetime }: Hold, { facts: { lifetimes } }: HookCall): string {
  const isDue = lifetimes.includes(lifetime) || lifetimes.includes("domain");
  return isDue ? "not looked at, as the call fails before" : "held since prepare: nothing is done about it here";
}

/** A guest or network that nobody has heard of, where the call does not say which. */
function somebody({ document, domain, network, driver }: HookCall): Holder | undefined {
  if (document.length > 0) return undefined;
  if (domain !== undefined) return { kind: "domain", driver, uuid: UNKNOWN_UUID, name: domain };
  return network === undefined ? undefined : { kind: "network", uuid: UNKNOWN_UUID, name: network };
}

/** What acquiring one hold changes, once those before it are acquired. */
async function tellChecked(
  one: Checked,
  { own, left, scene }: {
    readonly own: readonly Checked[];
    readonly left: readonly FiledDemand[];
    readonly scene: Scene;
  },
): Promise<{ readonly lines: readonly string[]; readonly script: readonly string[] }> {
  const { desk, lookout, call } = scene;
  const { resource, record: { demand } } = one.ready;
  const warnings = await resource.forewarn?.(demand, desk.sys) ?? [];
  const note = [...one.ready.note === undefined ? [] : [one.ready.note], ...warnings].map(visible);
  const place = own.indexOf(one);
  if (place === -1) return { lines: [`only checked at ${call.operation}: held when it runs`, ...note], script: [] };
  const { folder, record } = one.ready;
  const before = own.slice(0, place).filter(({ ready }) => ready.folder === folder);
  const known = await surveyResource(folder, lookout);
  const isFormer = one.ready.resource.anew === true && !goesOn({ call, ...scene.life });
  const surveyed = known === undefined || isFormer ? await unheld(one, lookout) : known;
  const former = isFormer ? formerLines(known, desk) : [];
  const replaced = new Set([...[...before, one].map(demandPath), ...left.map(({ path }) => path)]);
  const filed = surveyed.demands.filter(({ path }) => !replaced.has(path));
  const foreseen = foresee(surveyed, [...filed, ...before.map(({ ready }) => ready), { record }].map(heldOf));
  // What is of one resource is written in one go, with the last of it.
  const isLast = own[place + 1]?.ready.folder !== folder;
  return {
    lines: [...former, `now ${convergedText(foreseen, desk)}`, ...note],
    script: isLast ? await scriptOf(one.ready.resource, foreseen, desk) : [],
  };
}

/** What an earlier life left of a resource that each life begins anew is undone before, and may not be. */
function formerLines(known: Surveyed | undefined, { paint }: Desk): readonly string[] {
  // What it still holds is told behind the plan.
  if (known?.state === undefined || known.demands.length > 0) return [];
  const { problem } = known.state;
  const first = "first undoes what an earlier start did";
  if (problem === undefined) return [`${first}; this fails when that fails`];
  return [paint("red", `${first}; the last try failed, and this fails when the next one does: ${visible(problem)}`)];
}

/** What exactly would be written, where the kind of resource can tell. */
async function scriptOf({ script }: Resource, { write }: Foreseen, { sys }: Desk): Promise<readonly string[]> {
  if (script === undefined || write === undefined) return [];
  try {
    return await script(write.from, write.to, sys);
  } catch (error) {
    return [`what exactly would be written cannot be told: ${reasonOf(error)}`];
  }
}

/** A resource that nobody holds. */
async function unheld({ ready: { record, folder } }: Checked, { sys }: Lookout): Promise<Surveyed> {
  const { key, resource } = record;
  const state = undefined;
  return { key, resource, folder, state, demands: [], standing: await standingOf({ key, resource, state }, sys) };
}

/** What a call does to demands that are in the ledger already. */
async function explainKept(scene: Scene): Promise<HoldNotes> {
  const { call, lookout, resources, desk } = scene;
  if (call.driver === "daemon") {
    const behind = resources.length === 0
      ? []
      : ['what is held is looked after too: "virt-hooks reconcile --dry-run" tells how'];
    return { ...NO_NOTES, behind };
  }
  const lines: string[] = [];
  for (const holder of holdersOf(scene)) {
    const demands = await demandsOf({ holder, lifetimes: call.facts.lifetimes }, lookout);
    lines.push(
      ...call.facts.verb === "release" ? givenBack(demands, resources, desk) : broughtBack(demands, resources, desk),
    );
  }
  const verb = call.facts.verb === "release" ? "gives back" : "looks after";
  return { ...NO_NOTES, behind: lines.length === 0 ? ["it holds nothing"] : lines.map((line) => `${verb} ${line}`) };
}

/** What ensuring demands would change, a line a resource. */
function broughtBack(demands: readonly FiledDemand[], resources: readonly Surveyed[], desk: Desk): readonly string[] {
  const own = new Set(demands.map(({ folder }) => folder));
  return resources.filter(({ folder }) => own.has(folder)).map((surveyed) =>
    convergedText(foresee(surveyed, surveyed.demands.map(heldOf)), desk)
  );
}
