/**
 * Narrates a story: for each call what happens, the command, the rules that match, what they do, and how it ends.
 * @module
 */
import * as v from "valibot";
import type { Paint } from "../../lib/cli/terminal/colour.ts";
import { wrapped } from "../../lib/cli/terminal/wrap.ts";
import { type CallObserver, commandLine, readHistory } from "../../lib/story/player.ts";
import type { StoryCall } from "../../lib/story/story.ts";
import { quote, visible } from "../../lib/text/quote.ts";

/** Where a narrator writes, and how. */
export interface NarratorOptions {
  readonly paint: Paint;
  readonly columns: number;
  readonly write: (text: string) => void;
  /** Is called after each call. */
  readonly pause: () => void;
}

/** Writes what the demo does. */
export interface Narrator {
  title(title: string, about: string): void;
  line(text: string): void;
  error(message: string): void;
  /** Writes what happens and the command that is run. */
  command(say: string, command: string): void;
  output(text: string): void;
  /** Says why no hook is run. */
  refused(reason: string): void;
  /** Says how to go on; `unplayed` is the number of stories that were not played. */
  nextSteps(folder: string, unplayed: number): void;
  callNarrator(): CallNarrator;
}

/** Narrates the calls of one story. */
export interface CallNarrator {
  readonly observe: CallObserver;
  /** Returns how many calls ended with another exit code than the story says. */
  failures(): number;
}

const LABEL_WIDTH = 8;
const INDENT = 4;

/** What a plan says of a program's input, limit and failure; the rule says it too. */
const PLAN_NOTES = /(, the document on its stdin)?(, for [\d.]+ s at most)?; a failure (is noted|fails the call)$/;

const Change = v.optional(v.object({ from: v.string(), to: v.string() }));
const Entry = v.object({
  outcome: v.string(),
  rules: v.array(v.object({ name: v.string(), because: v.array(v.string()) })),
  actions: v.array(v.object({
    action: v.string(),
    plan: v.string(),
    end: v.string(),
    problem: v.optional(v.string()),
    stdout: v.optional(v.string(), ""),
    changes: v.optional(v.array(v.object({ line: v.number(), from: v.string(), to: v.string() })), []),
    change: Change,
  })),
  holds: v.optional(v.array(v.object({ resource: v.string(), end: v.string(), change: Change })), []),
});

type Entry = v.InferOutput<typeof Entry>;

const NEXT_STEPS = [
  ["sudo ./install.sh --dry-run", "lists every change it would make"],
  ["virt-hooks check", "lists the mistakes in /etc/virt-hooks/rules.toml"],
  ["virt-hooks explain qemu GUEST prepare", "says what would happen, and why"],
  ["virt-hooks status", "lists what guests hold of the host"],
] as const;

/** Opens a narrator. */
export function openNarrator({ paint, columns, write, pause }: NarratorOptions): Narrator {
  function line(text: string, indent = 0): void {
    write(`${wrapped(text, { columns, indent })}\n`);
  }
  function labelled(label: string, text: string): void {
    const lines = wrapped(label.padEnd(LABEL_WIDTH) + text, { columns, indent: INDENT });
    write(`${lines.replace(label, paint(label.startsWith("exit") ? "bold" : "dim", label))}\n`);
  }
  function command(say: string, words: string): void {
    write("\n");
    for (const each of wrapped(say, { columns, indent: 2 }).split("\n")) write(`${paint("bold", each)}\n`);
    write(`${" ".repeat(INDENT)}${paint("cyan", words)}\n`);
  }
  function output(text: string): void {
    for (const each of linesOf(text)) line(`| ${each}`, INDENT);
  }
  function error(message: string): void {
    write(`${paint("red", `error: ${message}`)}\n`);
  }

  return {
    title: (title, about) => {
      write(`\n${paint("bold", title)}\n`);
      if (about !== "") line(about);
    },
    line: (text) => line(text, 2),
    error,
    command,
    output,
    refused: (reason) => {
      write("\n");
      line("This machine refuses a private root, so the demo runs no hook:");
      for (const each of linesOf(reason)) line(each, INDENT);
      line("Instead, virt-hooks explain prints what each call would do.");
    },
    nextSteps: (folder, unplayed) => {
      write(`\n${paint("bold", "Next")}\n`);
      if (unplayed > 0) line(`deno task demo --all plays ${unplayed} more stories; --step waits after each call.`, 2);
      write(`  On a hypervisor, in a copy of ${folder}:\n`);
      for (const [words, about] of NEXT_STEPS) write(`    ${paint("cyan", words.padEnd(39))}${about}\n`);
    },
    callNarrator: () => {
      let [failed, linesRead] = [0, 0];
      return {
        failures: () => failed,
        observe: async (call, { exitCode, stdout, stderr }, root) => {
          const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
          command(call.say ?? "", shownCommand(call));
          if (call.program === "virt-hooks") {
            output(`${out}${err}`);
          } else {
            const entries = linesOf(await readHistory(root));
            const entry = v.parse(Entry, JSON.parse(entries[linesRead] ?? "null"));
            linesRead = entries.length;
            for (const [label, text] of entryLines(entry)) labelled(label, text);
            for (const each of linesOf(err ?? "")) labelled("stderr", each);
            labelled(`exit ${exitCode}`, `${entry.outcome}. ${call.then ?? ""}`);
          }
          if (exitCode !== call.exitCode) {
            error(`This is a fault of the demo or of virt-hooks: exit code ${call.exitCode} was expected`);
            failed++;
          }
          pause();
        },
      };
    },
  };
}

function entryLines({ rules, actions, holds }: Entry): readonly (readonly [string, string])[] {
  return [
    ...rules.map(({ name, because }) => ["rule", `"${visible(name)}": ${because.map(visible).join(", ")}`] as const),
    ...actions.map((action) =>
      [
        action.plan.startsWith("hold ") ? "hold" : action.action,
        `${action.plan.replace(/^\w+ +/, "").replace(PLAN_NOTES, "")}${endOf(action)}`,
      ] as const
    ),
    ...holds.map(({ resource, end, change }) => ["hold", `${resource}: ${end}${movedText(change)}`] as const),
  ];
}

function endOf({ end, problem, stdout, changes, change }: Entry["actions"][number]): string {
  if (end === "refused") return "";
  if (end !== "done") return `: ${end}: ${problem ?? ""}`;
  const edits = changes.map(({ line, from, to }) => `, line ${line}: ${visible(from)} is now ${visible(to)}`).join("");
  const printed = stdout.trim() === "" ? "" : `, printed: ${visible(stdout.trim())}`;
  return `: done${movedText(change)}${edits}${printed}`;
}

function movedText(change: v.InferOutput<typeof Change>): string {
  return change === undefined ? "" : `, from ${visible(change.from)} to ${visible(change.to)}`;
}

function shownCommand(call: StoryCall): string {
  const words = commandLine(call).map((word) =>
    typeof word === "string" ? quote(word) : new TextDecoder().decode(word)
  );
  if (call.program === "virt-hooks") return ["virt-hooks", ...words.slice(1)].join(" ");
  return words.join(" ") + (typeof call.stdin !== "string" && "from" in call.stdin ? ` < ${call.stdin.from}` : "");
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
