/**
 * Shows what was seen: the same few lines for every call, so that the eye finds its way.
 * @module
 */
import { quote, visible } from "../../lib/text/quote.ts";
import type { Tone } from "../../lib/cli/terminal/colour.ts";
import type { Entry, Seen, SeenHook } from "./play.ts";
import type { Screen } from "./screen.ts";
import type { Act, CommandStep, HookStep } from "./step.ts";

const LABEL_WIDTH = 8;
const INDENT = "    ";

/** What the end of a run's plan says of its input, limit and failure: the rules file says it, too. */
const PLAN_NOTES = /(, the document on its stdin)?(, for [\d.]+ s at most)?; a failure (is noted|fails the call)$/;

/** Outcomes in the history that read badly here. */
const OUTCOMES: Readonly<Record<string, string>> = { "bad-rules": "rules broken", "late": "out of time" };

/** Shows where an act begins. */
export function showAct({ title, about }: Pick<Act, "title" | "about">, screen: Screen): void {
  screen.print();
  screen.print(screen.paint("bold", `--- ${title} ---`));
  screen.printWrapped({ text: "" }, about);
}

/** Shows what somebody does. */
export function showAsked(asked: string, screen: Screen): void {
  screen.print();
  screen.print(`  ${screen.paint("bold", asked)}`);
}

/** Shows a call of a hook. */
export function showHook(step: HookStep, seen: SeenHook, screen: Screen): void {
  const { argv, entry, exitCode, durationMs } = seen;
  showAsked(step.asked, screen);
  const document = step.document === undefined ? "" : screen.paint("dim", ` < ${step.document}`);
  screen.print(INDENT + screen.paint("cyan", argv.map(quote).join(" ")) + document);
  if (entry !== undefined) showEntry(entry, screen);
  for (const line of linesOf(seen.stderr)) labelled("stderr", line, screen);
  const outcome = entry === undefined ? "no line in the history" : OUTCOMES[entry.outcome] ?? entry.outcome;
  showVerdict(
    seen,
    { tone: toneOf(exitCode, entry), text: `${outcome}, ${milliseconds(durationMs)}. ${step.then}` },
    screen,
  );
  if (step.virsh) {
    for (const [index, line] of virshLines(seen).entries()) labelled(index === 0 ? "virsh" : "", line, screen);
  }
}

/** Shows a run of the admin command. */
export function showCommand(step: CommandStep, seen: Seen, screen: Screen): void {
  const { exitCode, stdout, stderr, durationMs } = seen;
  showAsked(step.asked, screen);
  screen.print(INDENT + screen.paint("cyan", `virt-hooks ${step.args.join(" ")}`));
  for (const line of linesOf(stdout + stderr)) {
    screen.printWrapped({ text: `${INDENT}| `, shown: INDENT + screen.paint("dim", "| ") }, line);
  }
  showVerdict(seen, { tone: exitCode === 0 ? "green" : "yellow", text: milliseconds(durationMs) }, screen);
}

/** Shows that a call did not end as it must. */
export function showSurprise(wanted: number, screen: Screen): void {
  screen.print(
    INDENT + screen.paint("red", `This is a mistake of the demo or of virt-hooks: it must be exit ${wanted}`),
  );
}

/** Shows what a program has left running. */
export function showLeft(count: number, screen: Screen): void {
  const text = count === 0 ? "nothing: program and background job are gone" : `${count} processes`;
  labelled("left", text, screen);
}

function showEntry({ outcome, rules, actions, holds }: Entry, screen: Screen): void {
  for (const { resource, end, change } of holds) labelled("hold", `${resource}: ${end}${moved(change)}`, screen);
  if (rules.length === 0 && outcome !== "bad-rules") labelled("rule", screen.paint("dim", "none matches"), screen);
  for (const { name, because } of rules) {
    labelled("rule", `"${visible(name)}": ${because.map(visible).join(", ")}`, screen);
  }
  for (const { action, plan, end, durationMs, problem, stdout, changes, change } of actions) {
    const label = plan.startsWith("hold ") ? "hold" : action;
    labelled(label, plan.replace(/^\w+ +/, "").replace(PLAN_NOTES, ""), screen);
    for (const { line, from, to } of changes) {
      labelled("", `line ${line} of the document: ${visible(from)} became ${visible(to)}`, screen);
    }
    if (changes.length > 0) continue;
    const said = stdout.trim() === "" ? "" : `, said: ${visible(stdout.trim())}`;
    if (end === "done") labelled("", `done in ${milliseconds(durationMs)}${said}${moved(change)}`, screen);
    else if (end !== "refused") labelled("", `${end}: ${problem ?? ""}`, screen);
  }
}

function moved(change: Entry["actions"][number]["change"]): string {
  return change === undefined ? "" : `, from ${visible(change.from)} to ${visible(change.to)}`;
}

function showVerdict(
  { exitCode }: Seen,
  { tone, text }: { readonly tone: Tone; readonly text: string },
  screen: Screen,
): void {
  const label = `exit ${exitCode}`.padEnd(LABEL_WIDTH);
  screen.printWrapped({ text: INDENT + label, shown: INDENT + screen.paint(tone, label) }, text);
}

function labelled(label: string, text: string, screen: Screen): void {
  const padded = label.padEnd(LABEL_WIDTH);
  screen.printWrapped({ text: INDENT + padded, shown: INDENT + screen.paint("dim", padded) }, text);
}

/** What libvirt's client is told. */
function virshLines({ argv, exitCode, stderr }: Seen): readonly string[] {
  const child = `(LC_ALL=C PATH=… ${argv.join(" ")})`;
  const reason = `internal error: Child process ${child} unexpected exit status ${exitCode}`;
  return linesOf(`error: Hook script execution failed: ${reason}: ${stderr}`);
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

function toneOf(exitCode: number, entry: Entry | undefined): Tone {
  if (exitCode !== 0) return "red";
  return entry?.outcome === "done" ? "green" : "yellow";
}

function milliseconds(durationMs: number): string {
  return `${Math.round(durationMs)} ms`;
}
