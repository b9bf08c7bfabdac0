/**
 * `virt-hooks disable` and `enable`: turn all hooks off and on.
 * @module
 */
import { CONFIG_DIRECTORY, DISABLED_FILE, lookAtConfig } from "../../app/product.ts";
import { NO_EFFECTS, writeCommandEntry } from "../command_entry.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { visible } from "../../text/quote.ts";
import type { Sys } from "../../sys/sys.ts";
import { checkTrust } from "../../trust/trust.ts";
import { type Args, type CliContext, CommandError, type Subcommand } from "../subcommand.ts";
import { openForUpdate } from "../ledger_access.ts";
import { needRoot } from "../need_root.ts";
import { reconcileAndPrint } from "./reconcile.ts";
import type { Reconciliation } from "../reconcile_rules.ts";

/** Turns every hook into a no-op. */
export const disable: Subcommand = {
  name: "disable",
  summary: "Make every hook do nothing and succeed",
  description: [`Creates ${DISABLED_FILE}, which holds the reason. What guests hold stays held.`],
  args: [],
  options: [{ name: "reason", value: "TEXT", description: "Why, for those who find the hooks disabled" }],
  exitCodes: [{ code: 1, meaning: "The file could not be created" }],
  examples: [
    { command: "virt-hooks disable", description: "Turn all rules off" },
    { command: 'virt-hooks disable --reason "storage maintenance"', description: "Turn them off and say why" },
  ],
  run: runDisable,
};

/** Lets the hooks obey the rules again. */
export const enable: Subcommand = {
  name: "enable",
  summary: "Let the hooks apply the rules again",
  description: [
    `Removes ${DISABLED_FILE}. Before that it reconciles: what guests held that stopped meanwhile is restored.`,
  ],
  args: [],
  options: [],
  exitCodes: [{
    code: exitCodeOf("failed"),
    meaning: "The hooks are enabled, but a resource could not be restored",
  }],
  examples: [{ command: "virt-hooks enable", description: "Turn the rules on" }],
  run: (_given, context) => runEnable(context),
};

async function runDisable(args: Args, context: CliContext): Promise<number> {
  const { sys } = context;
  needRoot("disable the hooks", "disable", context);
  await needTrustedFolder("disable the hooks", sys);
  if (await lookAtConfig(sys) === "disabled") {
    context.print(`The hooks are disabled already, by ${DISABLED_FILE}`);
    return 0;
  }
  if (sys.lstat(CONFIG_DIRECTORY) === undefined) {
    attempt("disable the hooks", () => sys.makeDirectory(CONFIG_DIRECTORY, 0o755));
  }
  const reason = args.options["reason"];
  const text = `${sys.now().toISOString()} ${reason ?? "disabled by an administrator"}\n`;
  // What is there now is not root's, so no hook heeds it.
  if (sys.lstat(DISABLED_FILE) !== undefined) attempt("disable the hooks", () => sys.removeFile(DISABLED_FILE));
  attempt("disable the hooks", () => sys.createFile(DISABLED_FILE, text, 0o644));
  context.print(`Hooks disabled: all calls succeed without doing anything. Re-enable: virt-hooks enable`);
  await writeCommandEntry(
    "disable",
    { ...NO_EFFECTS, notes: reason === undefined ? [] : [`reason: ${reason}`] },
    0,
    sys,
  );
  return 0;
}

/** @throws {CommandError} where others can write the folder, so that the hooks heed nothing in it */
async function needTrustedFolder(what: string, sys: Sys): Promise<void> {
  const trust = await checkTrust(CONFIG_DIRECTORY, sys);
  if (trust.kind !== "untrusted") return;
  throw new CommandError(`Cannot ${what}: the hooks ignore ${DISABLED_FILE}, since ${trust.reason}`, {
    hint: trust.advice,
  });
}

async function runEnable(context: CliContext): Promise<number> {
  const { sys } = context;
  needRoot("enable the hooks", "enable", context);
  await needTrustedFolder("enable the hooks", sys);
  if (await lookAtConfig(sys) !== "disabled") {
    const strange = sys.lstat(DISABLED_FILE) === undefined
      ? ""
      : `: ${DISABLED_FILE} is not root's, so it counts for nothing`;
    context.print(`The hooks are enabled already${strange}`);
    return 0;
  }
  const { code, effects } = await reconcileFirst(context);
  attempt("enable the hooks", () => sys.removeFile(DISABLED_FILE));
  context.print("Hooks enabled");
  await writeCommandEntry("enable", effects, code, sys);
  return code;
}

/** A ledger that cannot be used is no reason to leave the hooks off: they would say so themselves. */
async function reconcileFirst(context: CliContext): Promise<Omit<Reconciliation, "isSilent">> {
  try {
    const ledger = await openForUpdate(context.sys);
    if (ledger === undefined) return { code: 0, effects: NO_EFFECTS };
    return await reconcileAndPrint(ledger, { stale: false, listsLiving: true }, context);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.print(context.paint("red", `Not reconciled: ${visible(error.message)} (${visible(error.hint ?? "")})`));
    return { code: exitCodeOf("failed"), effects: { ...NO_EFFECTS, notes: [error.message] } };
  }
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new CommandError(`Cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
