/**
 * `virt-hooks check`: every mistake of every rules file.
 * @module
 */
import { readRulesFile } from "../../app/load_rules.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../../app/product.ts";
import { visible } from "../../text/quote.ts";
import { type Issue, issueLine } from "../../rules/mistake.ts";
import { readRules, type RulesReading } from "../../rules/read.ts";
import type { Rule, RuleSet, RulesFile } from "../../rules/rule.ts";
import { checkHost } from "../checks/host.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import { type Finding, findingLine } from "../checks/finding.ts";
import {
  areDisabled,
  differingText,
  DISABLED_TEXT,
  guestsState,
  readOwnRules,
  SHOW_DIFFERENCE,
  unknownText,
} from "../report/judgement.ts";
import { undoAdvice } from "../checks/undo_advice.ts";

const HOST_FAILS = 1;

/** The subcommand. */
export const check: Subcommand = {
  name: "check",
  summary: "Check the rules and report every mistake",
  description: [
    `Without FILE, check reads the rules of this host from ${CONFIG_DIRECTORY} as the hooks do, and also checks that only root can write them and the programs they run. With FILE, it reads just these files, as one set.`,
    "With --host it also checks whether this host can do what the rules ask for. Each line says ok, warn (may not work), FAIL (a hook would fail, or a rule has no effect) or skip (not checked).",
  ],
  args: [{ name: "FILE", description: "A file with rules", isOptional: true, isRepeated: true }],
  options: [
    { name: "host", description: "Check this host too" },
    {
      name: "guest",
      value: "NAME",
      description:
        "With --host, check what the rules ask for this guest, by its status or its definition in /etc/libvirt",
    },
  ],
  exitCodes: [
    { code: HOST_FAILS, meaning: "With --host: at least one line says FAIL" },
    { code: exitCodeOf("bad-rules"), meaning: "The rules have mistakes, or name a program that would not be run" },
  ],
  examples: [
    { command: "virt-hooks check rules/*.toml", description: "Check rules before they are installed, as any user" },
    { command: "virt-hooks check --host --guest web-1", description: "Check all that one guest needs of this host" },
  ],
  run,
};

const USAGE_HINT = "usage: virt-hooks check [FILE...], or virt-hooks check --host [--guest NAME]";

async function run(args: Args, context: CliContext): Promise<number> {
  const isHost = args.flags.has("host");
  const isOwn = args.positionals.length === 0;
  if (isHost && !isOwn) {
    throw new CommandError("Cannot check files and --host at once", { hint: USAGE_HINT, code: USAGE_CODE });
  }
  const guest = args.options["guest"];
  if (guest !== undefined && !isHost) {
    throw new CommandError("Cannot check a guest without --host", { hint: USAGE_HINT, code: USAGE_CODE });
  }
  if (isOwn && !isHost && await areDisabled(context.sys)) {
    context.print(context.paint("yellow", `note: ${DISABLED_TEXT}`));
  }
  const { reading, refusedPrograms } = isOwn
    ? await readOwnRules(context.sys)
    : { reading: await readFiles(args.positionals, context), refusedPrograms: [] };
  if (reading.kind === "broken") return await printMistakes(reading, context);
  for (const problem of refusedPrograms) context.print(problem);
  if (refusedPrograms.length > 0) return exitCodeOf("bad-rules");
  for (const note of notes(reading.ruleSet)) context.print(context.paint("yellow", visible(note)));
  context.print(summary(reading.ruleSet, args.positionals));
  if (isHost) return await printHost(reading.ruleSet, guest, context);
  if (isOwn) await printRunning(reading.ruleSet, context);
  return 0;
}

async function printMistakes(
  reading: Extract<RulesReading, { readonly kind: "broken" }>,
  context: CliContext,
): Promise<number> {
  for (const issue of reading.issues) {
    context.print(context.terminal.isTerminal ? await marked(issue, context) : visible(issueLine(issue)));
  }
  const shownNote = reading.issues.length < reading.count ? `, the first ${reading.issues.length} of them above` : "";
  context.print(context.paint("bold", `${formatCount(reading.count, "mistake")}${shownNote}`));
  return exitCodeOf("bad-rules");
}

/** Rules reach guests that run only when they are told to. What guests hold is root's to see. */
async function printRunning(ruleSet: RuleSet, context: CliContext): Promise<void> {
  if (context.sys.uid() !== 0) return;
  const guests = await guestsState(ruleSet, context.sys);
  if (guests.differing.length > 0) {
    context.print(
      context.paint("yellow", `Rules apply to guests when they next start. ${differingText(guests.differing)}`),
    );
    context.print(`see what would change: ${SHOW_DIFFERENCE}`);
  }
  if (guests.unknown.length > 0) context.print(context.paint("yellow", unknownText(guests.unknown)));
}

async function printHost(ruleSet: RuleSet, guest: string | undefined, context: CliContext): Promise<number> {
  const findings = await checkHost(ruleSet, guest, context);
  // Ten forwards of a rule take the same of the host.
  const lines = [...new Map(findings.map((finding) => [findingLine(finding, context), finding])).entries()];
  for (const [line] of lines) context.print(line);
  const count = (level: Finding["level"]): number => lines.filter(([, finding]) => finding.level === level).length;
  if (count("skip") > 0) {
    context.print(context.paint("dim", `Not checked: ${formatCount(count("skip"), "thing")}, marked skip`));
  }
  if (count("fail") > 0) {
    context.print(context.paint("bold", `${formatCount(count("fail"), "thing")} on this host will fail`));
    return HOST_FAILS;
  }
  const but = [
    ...(count("warn") > 0 ? ["the warnings above"] : []),
    ...(count("skip") > 0 ? ["what was not checked"] : []),
  ];
  context.print(`This host can do what the rules ask${but.length === 0 ? "" : `, but for ${but.join(" and ")}`}`);
  return 0;
}

async function readFiles(paths: readonly string[], context: CliContext): Promise<RulesReading> {
  const read = await Promise.all(paths.map((path) => readRulesFile(path, "", context.sys, { trust: false })));
  const unreadable = read.filter((file): file is Issue => !("text" in file));
  const reading = await readRules(read.filter((file): file is RulesFile => "text" in file));
  if (unreadable.length === 0) return reading;
  if (reading.kind === "rules") return { kind: "broken", issues: unreadable, count: unreadable.length };
  return { ...reading, issues: [...unreadable, ...reading.issues], count: unreadable.length + reading.count };
}

/** Actions that reach beyond the guest they are for. */
const FAR_REACHING: readonly string[] = ["modules", "pci", "services", "sysctl"];

/** What is no mistake, but should be known. */
function notes(ruleSet: RuleSet): readonly string[] {
  return [...undoNotes(ruleSet), ...guestNotes(ruleSet)];
}

/** Undos that fail once what they undo is gone. */
function undoNotes({ rules }: RuleSet): readonly string[] {
  return rules.flatMap(({ file, name, actions, ...rule }) =>
    actions.flatMap(({ undo }) => {
      const known = undo === undefined || undo.onError !== undefined ? undefined : undoAdvice(undo.argv);
      if (known === undefined) return [];
      // A network's start cannot be refused without leaving its bridge behind.
      const then = rule.while === "network"
        ? "then its program is not run when the network starts next"
        : "keeps the next start from succeeding";
      const fails = `its undo (${undo?.argv.join(" ")}) fails when ${known.when}, and ${then}`;
      return [`${file}: rule "${name}": note: ${fails}: ${known.advice}`];
    })
  );
}

function guestNotes(ruleSet: RuleSet): readonly string[] {
  return ruleSet.rules.filter(isChosenByGuests).flatMap(({ file, name, actions }) => {
    const reached = actions.filter(({ kind }) => FAR_REACHING.includes(kind)).map(({ kind }) => kind);
    const does = [
      ...(actions.some(({ programs }) => programs.length > 0) ? ["have its program run"] : []),
      ...(reached.length > 0 ? [`have its ${[...new Set(reached)].join(" and ")} take effect on this host`] : []),
    ];
    if (does.length === 0) return [];
    return [
      `${file}: rule "${name}": note: a label alone selects it, so whoever may edit guests may ${does.join(", and ")}`,
    ];
  });
}

/** Whether only a guest's metadata selects a rule. */
function isChosenByGuests({ when }: Rule): boolean {
  const { label, domain, uuid, host, xml, file } = when;
  return label !== undefined && [domain, uuid, host, xml, file].every((selector) => selector === undefined);
}

function summary(ruleSet: RuleSet, args: readonly string[]): string {
  if (ruleSet.rules.length === 0) {
    return args.length > 0
      ? "There are no rules in the files given"
      : `There are no rules in ${CONFIG_DIRECTORY}: the hooks do nothing`;
  }
  const files = new Set(ruleSet.rules.map((rule) => rule.file)).size;
  return `${formatCount(ruleSet.rules.length, "rule")} in ${formatCount(files, "file")}: no mistakes`;
}

/** An issue with its line of the file, the place marked. */
async function marked(issue: Issue, context: CliContext): Promise<string> {
  const { paint } = context;
  const text = paint("red", visible(issueLine(issue)));
  if (issue.line === undefined || issue.column === undefined) return text;
  const line = await lineOf(issue.file, issue.line, context);
  if (line === undefined) return text;
  const number = String(issue.line);
  const before = visible(line.slice(0, issue.column - 1));
  return [
    text,
    `  ${paint("dim", `${number} |`)} ${before}${paint("bold", visible(line.slice(issue.column - 1)))}`,
    `  ${paint("dim", `${" ".repeat(number.length)} |`)} ${" ".repeat([...before].length)}${paint("yellow", "^")}`,
  ].join("\n");
}

async function lineOf(path: string, line: number, context: CliContext): Promise<string | undefined> {
  const file = await readRulesFile(path, "", context.sys, { trust: false });
  return "text" in file ? file.text.split(/\r?\n/)[line - 1]?.replaceAll("\t", " ") : undefined;
}
