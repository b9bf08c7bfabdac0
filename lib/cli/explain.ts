/**
 * `virt-hooks explain`: the very plan a hook would carry out, and for each rule why or why not.
 * @module
 */
import { loadRules } from "../app/load_rules.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { CONFIG_DIRECTORY, DISABLED_FILE } from "../app/paths.ts";
import { planCall } from "../app/plan_call.ts";
import { refuseArgv } from "../app/refuse_program.ts";
import { type HookCall, makeCall } from "../libvirt/call.ts";
import { type Consequence, type Driver, failurePolicy } from "../libvirt/driver.ts";
import { drivers } from "../libvirt/drivers.ts";
import { findOperation, parseInvocation } from "../libvirt/invocation.ts";
import type { Intent } from "../plan/intent.ts";
import { quote, renderIntent, visible } from "../plan/render.ts";
import { matchRules, type RuleMatch } from "../rules/match.ts";
import { issueLine } from "../rules/mistake.ts";
import { didYouMean } from "../rules/nearest.ts";
import { CommandError, type Desk, type Given, type Subcommand, USAGE_CODE } from "./command.ts";

/** The subcommand. */
export const explain: Subcommand = {
  name: "explain",
  usage: "DRIVER OBJECT OPERATION [SUB-OPERATION] [EXTRA] [--rules DIR]",
  summary: "Shows what a hook call would do and, for each rule, why or why not",
  details: [
    "Nothing is done: the plan is the one that the hook would carry out.",
    `--rules DIR reads DIR/rules.toml and DIR/rules.d instead of ${CONFIG_DIRECTORY}, whoever owns them.`,
    "A name that begins with a dash stands behind --.",
    "Example: virt-hooks explain qemu web-1 prepare",
  ],
  texts: ["rules"],
  switches: [],
  words: { min: 3, max: 5 },
  run,
};

async function run(given: Given, desk: Desk): Promise<number> {
  const call = readCall(given.words, desk);
  const directory = given.texts["rules"] ?? CONFIG_DIRECTORY;
  const own = given.texts["rules"] === undefined;
  const reading = await loadRules(directory, desk.sys, { trust: own });
  tellCall(call, desk);
  if (own && desk.sys.lstat(DISABLED_FILE) !== undefined) {
    desk.print(
      desk.paint("yellow", `${DISABLED_FILE} is there: the hooks do nothing of this until "virt-hooks enable"`),
    );
  }
  if (reading.kind === "broken") {
    for (const issue of reading.issues) desk.print(desk.paint("red", visible(issueLine(issue))));
    desk.print(`The rules are broken: ${brokenNote(call)}`);
    return exitCodeOf("bad-rules");
  }
  const matches = matchRules(reading.ruleSet, call, (path) => desk.sys.lstat(path) !== undefined);
  if (matches.length === 0) desk.print(`there are no rules in ${directory}`);
  for (const match of matches) tellMatch(match, desk);
  tellPlan(planCall(matches, call), own, desk);
  return 0;
}

function readCall([driverName = "", object = "", given = "", sub, extra]: readonly string[], desk: Desk): HookCall {
  const driver = findDriver(driverName);
  // The place of the sub-operation is filled from the table when the user leaves it out.
  const renamed = parseInvocation(driver, [object, given, "-", extra ?? "-"]);
  const facts = findOperation(driver, renamed.operation);
  if (facts === undefined) {
    const operations = Object.keys(driver.operations);
    const hint = didYouMean(given, operations) ?? `its operations are ${operations.join(", ")}`;
    const message = `Cannot explain "${given}": the ${driver.name} driver has no such operation`;
    throw new CommandError(message, { hint, code: USAGE_CODE });
  }
  const invocation = { ...renamed, subOperation: sub ?? facts.subOperation };
  return makeCall(invocation, facts, { host: desk.sys.hostname(), document: new Uint8Array() });
}

function findDriver(name: string): Driver {
  const driver = Object.values<Driver>(drivers).find((candidate) => candidate.name === name);
  if (driver !== undefined) return driver;
  const names = Object.keys(drivers);
  const hint = [didYouMean(name, names), `The drivers are ${names.join(", ")}`].filter((part) => part !== undefined)
    .join(" ");
  throw new CommandError(`Cannot explain a call of "${name}": there is no such driver`, { hint, code: USAGE_CODE });
}

const IF_IT_FAILS = {
  aborts: "libvirt gives up what was asked for",
  kills: "libvirt kills the guest, so failures are only noted unless a rule insists",
  abandons: "libvirt loses sight of the guest, so failures are only noted unless a rule insists",
  leaks: "libvirt 9 leaves the bridge behind, so the hook never fails here",
  reports: "the change stays and its caller sees an error, so failures are only noted unless a rule insists",
  ignored: "libvirt ignores it, so the hook never fails here",
} as const satisfies Record<Consequence, string>;

function tellCall(call: HookCall, desk: Desk): void {
  const { driver, object, operation, subOperation, extra, facts, host } = call;
  desk.print(
    desk.paint("bold", `${driver} ${quote(object)} ${operation} ${subOperation} ${quote(extra)} on host ${host}`),
  );
  desk.print(`when it fails, ${IF_IT_FAILS[facts.onFailure]}`);
}

function brokenNote(call: HookCall): string {
  return failurePolicy(call.facts) === "strict"
    ? `this call would fail with exit code ${exitCodeOf("bad-rules")}`
    : "this call would do nothing and exit 0";
}

function tellMatch({ rule, matches, verdicts }: RuleMatch, desk: Desk): void {
  const because = verdicts.filter((verdict) => verdict.holds === matches).map((verdict) => visible(verdict.because));
  const name = `rule "${rule.name}"`;
  desk.print(
    matches
      ? `${desk.paint("green", `${name} matches`)}: ${because.join(", ")}`
      : desk.paint("dim", `${name} does not match: ${because.join(", ")}`),
  );
}

function tellPlan(plan: readonly Intent[], own: boolean, desk: Desk): void {
  desk.print(desk.paint("bold", "plan:"));
  if (plan.length === 0) desk.print("  nothing to do");
  for (const intent of plan) {
    desk.print(`  ${renderIntent(intent)}  ${desk.paint("dim", `(rule "${intent.rule}")`)}`);
    const refusal = own && intent.kind === "run" ? refuseArgv(intent.argv, desk.sys) : undefined;
    if (refusal !== undefined) {
      desk.print(desk.paint("red", `        would not be run: ${visible(`${refusal.reason}; ${refusal.advice}`)}`));
    }
  }
}
