/**
 * `virt-hooks check`: every mistake of every rules file.
 * @module
 */
import { loadRules, readRulesFile } from "../app/load_rules.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../app/paths.ts";
import { refuseArgv } from "../trust/refuse_program.ts";
import { visible } from "../plan/render.ts";
import { type Issue, issueLine } from "../rules/mistake.ts";
import { readRules, type RulesReading } from "../rules/read.ts";
import type { Rule, RuleSet, RulesFile } from "../rules/rule.ts";
import { checkHost } from "./check_host.ts";
import { CommandError, type Desk, type Given, type Subcommand, USAGE_CODE } from "./command.ts";
import { counted } from "./counted.ts";
import { findingLine } from "./finding.ts";
import { undoAdvice } from "./undo_advice.ts";

/** The subcommand. */
export const check: Subcommand = {
  name: "check",
  usage: "[FILE…] | --host",
  summary: "Reads the rules and shows every mistake in them",
  details: [
    `Without a FILE: the rules of this host, as the hooks read them from ${CONFIG_DIRECTORY}, with who may write them`,
    "and the programs they name. With FILEs: just these, as one set, wherever they are.",
    "--host also asks this host whether it can do what the rules want, as far as that can be told without a guest.",
    "Exit code: 0 without mistakes, 3 with some, 1 when --host found something that will fail.",
  ],
  texts: [],
  switches: ["host"],
  words: { min: 0, max: Infinity },
  run,
};

const HOST_FAILS = 1;

async function run(given: Given, desk: Desk): Promise<number> {
  const isHost = given.switches.has("host");
  if (isHost && given.words.length > 0) {
    const hint = "usage: virt-hooks check [FILE…] | --host";
    throw new CommandError("Cannot check files and --host at once", { hint, code: USAGE_CODE });
  }
  const reading = given.words.length === 0
    ? await loadRules(CONFIG_DIRECTORY, desk.sys, { trust: true })
    : await readFiles(given.words, desk);
  if (reading.kind === "rules") {
    const problems = given.words.length === 0 ? await programProblems(reading.ruleSet, desk) : [];
    for (const problem of problems) desk.print(problem);
    if (problems.length > 0) return exitCodeOf("bad-rules");
    for (const note of notes(reading.ruleSet)) desk.print(desk.paint("yellow", visible(note)));
    desk.print(summary(reading.ruleSet, given.words));
    return isHost ? await tellHost(reading.ruleSet, desk) : 0;
  }
  for (const issue of reading.issues) {
    desk.print(desk.terminal.isTerminal ? await marked(issue, desk) : visible(issueLine(issue)));
  }
  const told = reading.issues.length < reading.count ? `, the first ${reading.issues.length} of them above` : "";
  desk.print(desk.paint("bold", `${counted(reading.count, "mistake")}${told}`));
  return exitCodeOf("bad-rules");
}

async function tellHost(ruleSet: RuleSet, desk: Desk): Promise<number> {
  const findings = await checkHost(ruleSet, desk.sys);
  // Ten forwards of a rule take the same of the host.
  for (const line of new Set(findings.map((finding) => findingLine(finding, desk)))) desk.print(line);
  const failing = findings.filter(({ level }) => level === "fail").length;
  if (failing === 0) {
    const hasDoubts = findings.some(({ level }) => level === "warn");
    desk.print(`This host can do what the rules ask${hasDoubts ? ", but for the warnings above" : ""}`);
    return 0;
  }
  desk.print(desk.paint("bold", `${counted(failing, "thing")} on this host will fail`));
  return HOST_FAILS;
}

async function readFiles(paths: readonly string[], desk: Desk): Promise<RulesReading> {
  const read = await Promise.all(paths.map((path) => readRulesFile(path, "", desk.sys, { trust: false })));
  const unreadable = read.filter((file): file is Issue => !("text" in file));
  const reading = await readRules(read.filter((file): file is RulesFile => "text" in file));
  if (unreadable.length === 0) return reading;
  if (reading.kind === "rules") return { kind: "broken", issues: unreadable, count: unreadable.length };
  return { ...reading, issues: [...unreadable, ...reading.issues], count: unreadable.length + reading.count };
}

/** Programs that the hooks would refuse to run, each told once with the command that repairs it. */
async function programProblems(ruleSet: RuleSet, desk: Desk): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { file, name, actions } of ruleSet.rules) {
    for (const program of actions.flatMap((action) => action.programs)) {
      const refusal = await refuseArgv(program, desk.sys);
      if (refusal === undefined) continue;
      const what = `cannot run ${program.argv[0]}: ${refusal.reason}; ${refusal.advice}`;
      problems.push(visible(`${file}: rule "${name}": ${what}`));
    }
  }
  return problems;
}

/** Actions that reach beyond the guest they are for. */
const FAR_REACHING: readonly string[] = ["modules", "pci", "services", "sysctl"];

/** What is no mistake, but should be known. */
function notes(ruleSet: RuleSet): readonly string[] {
  return [...undoNotes(ruleSet), ...guestNotes(ruleSet)];
}

/** Undos that fail once what they undo is gone. */
function undoNotes({ rules }: RuleSet): readonly string[] {
  return rules.flatMap(({ file, name, actions }) =>
    actions.flatMap(({ undo }) => {
      const advice = undo === undefined || undo.onError !== undefined ? undefined : undoAdvice(undo.argv);
      if (advice === undefined) return [];
      const fails = `its undo (${
        undo?.argv.join(" ")
      }) fails when what it undoes is gone, and keeps the next start from succeeding`;
      return [`${file}: rule "${name}": note: ${fails}: ${advice}`];
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

/** Whether nothing but what stands in a guest's metadata selects a rule. */
function isChosenByGuests({ when }: Rule): boolean {
  const { label, domain, uuid, host, xml, file } = when;
  return label !== undefined && [domain, uuid, host, xml, file].every((selector) => selector === undefined);
}

function summary(ruleSet: RuleSet, given: readonly string[]): string {
  if (ruleSet.rules.length === 0) {
    return given.length > 0
      ? "There are no rules in the files given"
      : `There are no rules in ${CONFIG_DIRECTORY}: the hooks do nothing`;
  }
  const files = new Set(ruleSet.rules.map((rule) => rule.file)).size;
  return `${counted(ruleSet.rules.length, "rule")} in ${counted(files, "file")}: no mistakes`;
}

/** An issue with its line of the file, the place marked. */
async function marked(issue: Issue, desk: Desk): Promise<string> {
  const { paint } = desk;
  const text = paint("red", visible(issueLine(issue)));
  if (issue.line === undefined || issue.column === undefined) return text;
  const line = await lineOf(issue.file, issue.line, desk);
  if (line === undefined) return text;
  const number = String(issue.line);
  const before = visible(line.slice(0, issue.column - 1));
  return [
    text,
    `  ${paint("dim", `${number} |`)} ${before}${paint("bold", visible(line.slice(issue.column - 1)))}`,
    `  ${paint("dim", `${" ".repeat(number.length)} |`)} ${" ".repeat([...before].length)}${paint("yellow", "^")}`,
  ].join("\n");
}

async function lineOf(path: string, line: number, desk: Desk): Promise<string | undefined> {
  const file = await readRulesFile(path, "", desk.sys, { trust: false });
  return "text" in file ? file.text.split(/\r?\n/)[line - 1]?.replaceAll("\t", " ") : undefined;
}
