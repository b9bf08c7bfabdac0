/**
 * `virt-hooks release --resource`: puts one resource back by hand, whoever holds it; what cannot be put back is forgotten.
 * @module
 */
import { writeCommandEntry } from "../app/command_entry.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { converge } from "../ledger/converge.ts";
import { giveUp } from "../ledger/give_up.ts";
import { describeHolder, type Holder, holderId } from "../ledger/holder.ts";
import { lockHolder } from "../ledger/holder_file.ts";
import { releaseAll } from "../ledger/holds.ts";
import { type Surveyed, surveyResource, surveyResources } from "../ledger/survey.ts";
import { type Converged, isWell, type Work } from "../ledger/work.ts";
import { visible } from "../text/quote.ts";
import { CommandError, type Desk, USAGE_CODE } from "./subcommand.ts";
import { convergedText, holderText } from "./terminal/format_holder.ts";
import { lookoutOn, openForWork, workOn } from "./ledger_access.ts";

/** What the user agreed to beforehand. */
export interface Consent {
  /** That it is put back. */
  readonly yes: boolean;
  /** That it is forgotten where it cannot be put back. */
  readonly forget: boolean;
}

const SAID_NO = 1;
const LOCK_PATIENCE_MS = 30_000;

/** Puts a resource back, or forgets it; returns the exit code. */
export async function releaseResource(wanted: string, consent: Consent, desk: Desk): Promise<number> {
  const ledger = await openForWork(desk.sys);
  const resources = ledger === undefined ? [] : await surveyResources(lookoutOn(ledger, desk.sys));
  const found = resources.find(({ key }) => key === wanted || visible(key) === wanted);
  if (ledger === undefined || found === undefined) {
    const hint = '"virt-hooks status" shows the key of each resource';
    throw new CommandError(`Cannot release ${JSON.stringify(wanted)}: no resource of that key is held`, { hint });
  }
  tellResource(found, desk);
  const isAgreed = consent.yes || (consent.forget && found.demands.length === 0);
  if (!isAgreed && !confirmed("Put it back?", "--yes releases without asking", desk)) {
    desk.print("Nothing was released");
    return SAID_NO;
  }
  const work = workOn(ledger, desk.sys);
  const result = await putBack(found, work);
  desk.print(`  ${convergedText({ ...result, key: found.key, hint: undefined }, desk)}`);
  const isPutBack = isWell(result) && result.end !== "handed-over";
  const isForgotten = !isPutBack && await forgetAfterAll(found, consent, { work, desk });
  for (const note of ledger.notes) desk.print(desk.paint("yellow", `note: ${visible(note)}`));
  const code = isPutBack || isForgotten ? 0 : exitCodeOf("failed");
  const deeds = {
    guests: [...new Set(holdersOf(found.demands).map(({ name }) => name))],
    results: [{ ...result, key: found.key }],
    notes: [...ledger.notes, ...(isForgotten ? [`forgotten: ${found.key} (${valuesText(found)})`] : [])],
  };
  await writeCommandEntry("release --resource", deeds, code, desk.sys);
  return code;
}

function tellResource(surveyed: Surveyed, { paint, print }: Desk): void {
  const { key, demands } = surveyed;
  print(paint("bold", visible(key)));
  print(`  ${valuesText(surveyed)}`);
  for (const holder of holdersOf(demands)) print(paint("red", `  ${holderText(holder)} holds it, and loses it`));
}

/** Both values, as far as they are known. */
function valuesText({ standing, state }: Surveyed): string {
  if (standing.kind !== "value") {
    const before = state === undefined ? "unknown" : visible(JSON.stringify(state.original));
    return `now: unknown (${visible(standing.reason)}); before: ${before}`;
  }
  const { resource, noted, actual } = standing;
  return `now: ${visible(resource.describe(actual))}; before: ${visible(resource.describe(noted.original))}`;
}

function holdersOf(demands: Surveyed["demands"]): readonly Holder[] {
  return [...new Map(demands.map(({ record: { holder } }) => [holderId(holder), holder])).values()];
}

/** @throws {CommandError} where stdin is no terminal */
function confirmed(question: string, hint: string, { terminal }: Desk): boolean {
  if (terminal.stdinIsTerminal) return terminal.ask(question);
  throw new CommandError("Cannot ask whether to release: stdin is no terminal", { hint, code: USAGE_CODE });
}

/** Removes what holds it, each demand under its holder's lock, and converges. */
async function putBack({ key, resource, folder }: Surveyed, work: Work): Promise<Converged> {
  const { sys } = work;
  // Looked at again: while the user was asked, hooks may have come and gone.
  const now = await surveyResource(folder, { sys, notes: [], looksOnly: true });
  const demands = now?.demands ?? [];
  const locks = new DisposableStack();
  using _locks = locks;
  for (const holder of holdersOf(demands)) {
    const lock = await lockHolder(holder, sys.elapsedMs() + LOCK_PATIENCE_MS, work);
    if (lock === undefined) {
      const hint = "try again when it has ended";
      throw new CommandError(`Cannot release: a hook call for ${describeHolder(holder)} is under way`, { hint });
    }
    locks.use(lock);
  }
  return (await releaseAll(demands, work)).at(-1) ?? await converge(folder, { ...work, about: { key, resource } });
}

/** It could not be put back: returns whether it is forgotten. */
async function forgetAfterAll(
  surveyed: Surveyed,
  { forget }: Consent,
  { work, desk }: { readonly work: Work; readonly desk: Desk },
): Promise<boolean> {
  desk.print(`  When it is forgotten, it stays as it is and is not put back any more (${valuesText(surveyed)})`);
  if (!forget && !desk.terminal.stdinIsTerminal) {
    desk.print("  --forget forgets it");
    return false;
  }
  if (!forget && !desk.terminal.ask("Forget it?")) return false;
  if (!await giveUp(surveyed.folder, work)) {
    desk.print(desk.paint("red", "  It was not forgotten: a hook is at it"));
    return false;
  }
  desk.print(`  ${desk.paint("bold", "forgotten")}`);
  return true;
}
