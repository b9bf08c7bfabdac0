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
import type { Desk, Given, Subcommand } from "./command.ts";

/** The subcommand. */
export const check: Subcommand = {
  name: "check",
  usage: "[FILE…]",
  summary: "Reads the rules and shows every mistake in them",
  details: [
    `Without a FILE: the rules of this host, as the hooks read them from ${CONFIG_DIRECTORY}, with who may write them`,
    "and the programs they name. With FILEs: just these, as one set, wherever they are.",
    "Exit code: 0 without mistakes, 3 with some.",
  ],
  texts: [],
  switches: [],
  words: { min: 0, max: Infinity },
  run,
};

async function run(given: Given, desk: Desk): Promise<number> {
  const reading = given.words.length === 0
    ? await loadRules(CONFIG_DIRECTORY, desk.sys, { trust: true })
    : await readFiles(given.words, desk);
  if (reading.kind === "rules") {
    const problems = given.words.length === 0 ? programProblems(reading.ruleSet, desk) : [];
    for (const problem of problems) desk.print(problem);
    if (problems.length > 0) return exitCodeOf("bad-rules");
    for (const note of notes(reading.ruleSet)) desk.print(desk.paint("yellow", visible(note)));
    desk.print(summary(reading.ruleSet));
    return 0;
  }
  for (const issue of reading.issues) {
    desk.print(desk.terminal.isTerminal ? marked(issue, desk) : visible(issueLine(issue)));
  }
  const told = reading.issues.length < reading.count ? `, the first ${reading.issues.length} of them above` : "";
  desk.print(desk.paint("bold", `${counted(reading.count, "mistake")}${told}`));
  return exitCodeOf("bad-rules");
}

async function readFiles(paths: readonly string[], desk: Desk): Promise<RulesReading> {
  const read = paths.map((path) => readRulesFile(path, "", desk.sys, { trust: false }));
  const unreadable = read.filter((file): file is Issue => !("text" in file));
  const reading = await readRules(read.filter((file): file is RulesFile => "text" in file));
  if (unreadable.length === 0) return reading;
  if (reading.kind === "rules") return { kind: "broken", issues: unreadable, count: unreadable.length };
  return { ...reading, issues: [...unreadable, ...reading.issues], count: unreadable.length + reading.count };
}

/** Programs that the hooks would refuse to run, each told once with the command that repairs it. */
function programProblems(ruleSet: RuleSet, desk: Desk): readonly string[] {
  return ruleSet.rules.flatMap((rule) =>
    rule.actions.flatMap((action) => action.programs).flatMap((argv) => {
      const refusal = refuseArgv(argv, desk.sys);
      if (refusal === undefined) return [];
      return [
        visible(`${rule.file}: rule "${rule.name}": cannot run ${argv[0]}: ${refusal.reason}; ${refusal.advice}`),
      ];
    })
  );
}

/** What is no mistake, but should be known. */
function notes(ruleSet: RuleSet): readonly string[] {
  return ruleSet.rules.filter(isChosenByGuests).map(({ file, name }) =>
    `${file}: rule "${name}": note: a label alone selects it, so whoever may edit guests may have its program run`
  );
}

/** Whether nothing but what stands in a guest's metadata selects a rule that runs something. */
function isChosenByGuests({ when, actions }: Rule): boolean {
  const { label, domain, uuid, host, xml, file } = when;
  return label !== undefined && [domain, uuid, host, xml, file].every((selector) => selector === undefined) &&
    actions.some((action) => action.programs.length > 0);
}

function summary(ruleSet: RuleSet): string {
  if (ruleSet.rules.length === 0) return `There are no rules in ${CONFIG_DIRECTORY}: the hooks do nothing`;
  const files = new Set(ruleSet.rules.map((rule) => rule.file)).size;
  return `${counted(ruleSet.rules.length, "rule")} in ${counted(files, "file")}: no mistakes`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** An issue with its line of the file, the place marked. */
function marked(issue: Issue, desk: Desk): string {
  const { paint } = desk;
  const text = paint("red", visible(issueLine(issue)));
  if (issue.line === undefined || issue.column === undefined) return text;
  const line = lineOf(issue.file, issue.line, desk);
  if (line === undefined) return text;
  const number = String(issue.line);
  const before = visible(line.slice(0, issue.column - 1));
  return [
    text,
    `  ${paint("dim", `${number} |`)} ${before}${paint("bold", visible(line.slice(issue.column - 1)))}`,
    `  ${paint("dim", `${" ".repeat(number.length)} |`)} ${" ".repeat([...before].length)}${paint("yellow", "^")}`,
  ].join("\n");
}

function lineOf(path: string, line: number, desk: Desk): string | undefined {
  const file = readRulesFile(path, "", desk.sys, { trust: false });
  return "text" in file ? file.text.split(/\r?\n/)[line - 1]?.replaceAll("\t", " ") : undefined;
}
