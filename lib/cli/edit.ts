/**
 * `virt-hooks edit`: what the rules make of a document, as a difference.
 * @module
 */
import { createTwoFilesPatch } from "diff";
import { changeDocument, refuseDocument, REGEX_MS_MAX } from "../app/document.ts";
import { loadRules } from "../app/load_rules.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../app/paths.ts";
import { planCall } from "../app/plan_call.ts";
import type { HookCall } from "../libvirt/call.ts";
import { quote, renderIntent, visible } from "../plan/render.ts";
import type { Plan } from "../plan/plan.ts";
import { matchRules } from "../rules/match.ts";
import { issueLine } from "../rules/mistake.ts";
import { parseDocument } from "../xml/document.ts";
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { isDocumentError } from "../xml/limit_error.ts";
import { textContent, type XmlDocument } from "../xml/tree.ts";
import { CommandError, type Desk, type Given, type Subcommand, USAGE_CODE } from "./command.ts";
import { readCall, readDocument } from "./read_call.ts";

/** The subcommand. */
export const edit: Subcommand = {
  name: "edit",
  usage: "OPERATION [--driver DRIVER] [--rules DIR] [--print] < DOCUMENT",
  summary: "Shows what the rules would make of a document at migrate or restore",
  details: [
    "It prints the difference, or with --print the whole new document. No program is run.",
    `--driver is qemu unless given; --rules DIR reads DIR instead of ${CONFIG_DIRECTORY}.`,
    "Example: virsh dumpxml web-1 --migratable | virt-hooks edit migrate",
  ],
  texts: ["driver", "rules"],
  switches: ["print"],
  words: { min: 1, max: 1 },
  run,
};

async function run(given: Given, desk: Desk): Promise<number> {
  const bytes = readDocument(desk);
  const before = parse(bytes);
  const call = readCall([given.texts["driver"] ?? "qemu", nameOf(before), given.words[0] ?? ""], bytes, desk);
  if (!call.facts.filter) {
    const hint = "the operations are migrate and restore of qemu, and migrate of libxl";
    throw new CommandError(
      `Cannot edit at ${call.driver} ${call.operation}: libvirt does not read the document back there`,
      { hint, code: USAGE_CODE },
    );
  }
  const directory = given.texts["rules"];
  const reading = await loadRules(directory ?? CONFIG_DIRECTORY, desk.sys, { trust: directory === undefined });
  if (reading.kind === "broken") {
    for (const issue of reading.issues) desk.sys.writeStderr(`${visible(issueLine(issue))}\n`);
    return exitCodeOf("bad-rules");
  }
  const matches = matchRules(reading.ruleSet, call, (path) => desk.sys.lstat(path) !== undefined);
  const after = await applyEdits(planCall(matches, call), call, desk);
  const problem = refuseDocument(before, after);
  if (problem !== undefined) throw new CommandError(`The call would fail: ${problem}`, { code: exitCodeOf("failed") });
  show(before.text, after.text, given, desk);
  return 0;
}

function parse(bytes: Uint8Array): XmlDocument {
  const hint = "give it on stdin: virsh dumpxml GUEST --migratable | virt-hooks edit migrate";
  if (bytes.length === 0) throw new CommandError("Cannot edit: there is no document", { hint, code: USAGE_CODE });
  try {
    return parseDocument(bytes);
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    throw new CommandError(error.message, { code: exitCodeOf("bad-call") });
  }
}

function nameOf(document: XmlDocument): string {
  const [name] = select(parsePath("/domain/name"), document);
  if (name === undefined) throw new CommandError("Cannot edit: the document has no /domain/name", { code: USAGE_CODE });
  return textContent(name).trim();
}

/** @throws {CommandError} when an edit cannot be done, or a rule refuses */
async function applyEdits(plan: Plan, call: HookCall, desk: Desk): Promise<XmlDocument> {
  let document = call.xml();
  for (const intent of plan) {
    if (intent.kind === "edit") {
      const endMs = desk.sys.elapsedMs() + REGEX_MS_MAX;
      const changed = await changeDocument(document, intent.step.edit, () => desk.sys.elapsedMs() > endMs);
      if (changed.kind === "changed") document = changed.document;
      else desk.sys.writeStderr(`rule ${quote(intent.rule)}: ${visible(changed.problem)}\n`);
    } else {
      desk.sys.writeStderr(`rule ${quote(intent.rule)}, not done here: ${renderIntent(intent)}\n`);
    }
  }
  return document;
}

function show(before: string, after: string, given: Given, desk: Desk): void {
  if (given.switches.has("print")) return desk.sys.writeStdout(after);
  if (before === after) return desk.print("The rules change nothing in this document");
  const patch = createTwoFilesPatch("sent by libvirt", "handed back", before, after, undefined, undefined, {
    context: 2,
  });
  for (const line of patch.trimEnd().split("\n").slice(1)) desk.print(paintLine(line, desk));
}

function paintLine(line: string, desk: Desk): string {
  const text = visible(line);
  if (/^(---|\+\+\+)/.test(line)) return desk.paint("bold", text);
  if (line.startsWith("@@")) return desk.paint("cyan", text);
  if (line.startsWith("+")) return desk.paint("green", text);
  return line.startsWith("-") ? desk.paint("red", text) : text;
}
