/**
 * `virt-hooks release --resource`: puts one resource back by hand, regardless of its holders. A resource that cannot be restored is forgotten.
 * @module
 */
import { writeCommandEntry } from "./command_entry.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { ensureResource, forgetResource } from "../ledger/update.ts";
import { lockHolder } from "../ledger/holder_file.ts";
import { describeHolder, type Holder, holderId } from "../ledger/demand_file.ts";
import { releaseAll } from "../ledger/holds.ts";
import { inspectResource, inspectResources, type ResourceSnapshot } from "../ledger/inspect.ts";
import { type ConvergeContext, type Converged, succeeded } from "../ledger/converge.ts";
import { visible } from "../text/quote.ts";
import { type CliContext, CommandError, USAGE_CODE } from "./subcommand.ts";
import { convergedText, holderText } from "./terminal/format_holder.ts";
import { convergeContext, openForUpdate, readOnlyLedger } from "./ledger_access.ts";

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
export async function releaseResource(wanted: string, consent: Consent, context: CliContext): Promise<number> {
  const ledger = await openForUpdate(context.sys);
  const resources = ledger === undefined ? [] : await inspectResources(readOnlyLedger(ledger, context));
  const found = resources.find(({ key }) => key === wanted || visible(key) === wanted);
  if (ledger === undefined || found === undefined) {
    const hint = '"virt-hooks status" shows the key of each resource';
    throw new CommandError(`Cannot release ${JSON.stringify(wanted)}: no resource of that key is held`, { hint });
  }
  printResource(found, context);
  const isAgreed = consent.yes || (consent.forget && found.demands.length === 0);
  if (!isAgreed && !confirmed("Restore it?", "--yes releases without asking", context)) {
    context.print("Nothing was released");
    return SAID_NO;
  }
  const ledgerContext = convergeContext(ledger, context);
  const result = await putBack(found, ledgerContext);
  context.print(`  ${convergedText({ ...result, key: found.key, hint: undefined }, context)}`);
  const isPutBack = succeeded(result) && result.end !== "handed-over";
  const isForgotten = !isPutBack && await forgetAfterAll(found, consent, { ledgerContext, context });
  for (const note of ledger.notes) context.print(context.paint("yellow", `note: ${visible(note)}`));
  const code = isPutBack || isForgotten ? 0 : exitCodeOf("failed");
  const effects = {
    guests: [...new Set(holdersOf(found.demands).map(({ name }) => name))],
    results: [{ ...result, key: found.key }],
    notes: [...ledger.notes, ...(isForgotten ? [`forgotten: ${found.key} (${valuesText(found)})`] : [])],
  };
  await writeCommandEntry("release --resource", effects, code, context.sys);
  return code;
}

function printResource(snapshot: ResourceSnapshot, { paint, print }: CliContext): void {
  const { key, demands } = snapshot;
  print(paint("bold", visible(key)));
  print(`  ${valuesText(snapshot)}`);
  for (const holder of holdersOf(demands)) print(paint("red", `  ${holderText(holder)} holds it, and loses it`));
}

/** Both values, as far as they are known. */
function valuesText({ observation, state }: ResourceSnapshot): string {
  if (observation.kind !== "value") {
    const before = state === undefined ? "unknown" : visible(JSON.stringify(state.original));
    return `now: unknown (${visible(observation.reason)}); before: ${before}`;
  }
  const { resource, saved, actual } = observation;
  return `now: ${visible(resource.describe(actual))}; before: ${visible(resource.describe(saved.original))}`;
}

function holdersOf(demands: ResourceSnapshot["demands"]): readonly Holder[] {
  return [...new Map(demands.map(({ record: { holder } }) => [holderId(holder), holder])).values()];
}

/** @throws {CommandError} where stdin is no terminal */
function confirmed(question: string, hint: string, { terminal }: CliContext): boolean {
  if (terminal.stdinIsTerminal) return terminal.ask(question);
  throw new CommandError("Cannot ask whether to release: stdin is no terminal", { hint, code: USAGE_CODE });
}

/** Removes what holds it, each demand under its holder's lock, and converges. */
async function putBack(
  { key, resource, folder }: ResourceSnapshot,
  ledgerContext: ConvergeContext,
): Promise<Converged> {
  const { sys } = ledgerContext;
  // Looked at again: while the user was asked, hooks may have come and gone.
  const now = await inspectResource(folder, { ...ledgerContext, notes: [], looksOnly: true });
  const demands = now?.demands ?? [];
  const locks = new DisposableStack();
  using _locks = locks;
  for (const holder of holdersOf(demands)) {
    const lock = await lockHolder(holder, sys.elapsedMs() + LOCK_PATIENCE_MS, ledgerContext);
    if (lock === undefined) {
      const hint = "try again when it has ended";
      throw new CommandError(`Cannot release: a hook call for ${describeHolder(holder)} is under way`, { hint });
    }
    locks.use(lock);
  }
  return (await releaseAll(demands, ledgerContext)).at(-1) ??
    await ensureResource(folder, { ...ledgerContext, about: { key, resource } });
}

/** It could not be put back: returns whether it is forgotten. */
async function forgetAfterAll(
  snapshot: ResourceSnapshot,
  { forget }: Consent,
  { ledgerContext, context }: { readonly ledgerContext: ConvergeContext; readonly context: CliContext },
): Promise<boolean> {
  context.print(`  When it is forgotten, it stays as it is and is never restored (${valuesText(snapshot)})`);
  if (!forget && !context.terminal.stdinIsTerminal) {
    context.print("  --forget forgets it");
    return false;
  }
  if (!forget && !context.terminal.ask("Forget it?")) return false;
  if (!await forgetResource(snapshot.folder, ledgerContext)) {
    context.print(context.paint("red", "  It was not forgotten: a hook is working on it"));
    return false;
  }
  context.print(`  ${context.paint("bold", "forgotten")}`);
  return true;
}
