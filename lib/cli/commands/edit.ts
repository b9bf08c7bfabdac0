/**
 * `virt-hooks edit`: what the rules make of a document, as a difference.
 * @module
 */
import { fileExists, planCall, timeLimit } from "../../app/decide.ts";
import { createTwoFilesPatch } from "diff";
import { changeDocument, refuseDocument, REGEX_MS_MAX } from "../../app/document.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../../app/product.ts";
import type { HookCall } from "../../libvirt/call.ts";
import { renderIntent } from "../../plan/render.ts";
import { quote, visible } from "../../text/quote.ts";
import type { EditIntent, Fault } from "../../plan/intent.ts";
import type { Plan } from "../../plan/plan.ts";
import { matchRules } from "../../rules/match.ts";
import { issueLine } from "../../rules/mistake.ts";
import { parseLibvirtDocument } from "../../libvirt/parse.ts";
import { parsePath } from "../../xml/path_parser.ts";
import { select } from "../../xml/select.ts";
import { isDocumentError } from "../../xml/limit_error.ts";
import { textContent, type XmlDocument } from "../../xml/tree.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { readCall, readDocument } from "../read_call.ts";
import { loadAskedRules } from "../rules_folder.ts";

/** Finding the smallest difference takes the square of its length; a longer one is of no use to a reader. */
const DIFFERENCE_LINES_MAX = 4_000;
const DIFFERENCE_MS_MAX = 10_000;

/** The subcommand. */
export const edit: Subcommand = {
  name: "edit",
  summary: "Show how the rules rewrite a guest's XML on migration or restore",
  description: [
    "Prints the difference. No program is run. If a rule would fail the call, edit says so and exits with the hook's exit code.",
  ],
  args: [{ name: "OPERATION", description: "migrate or restore" }],
  options: [
    { name: "driver", value: "DRIVER", description: "The driver of the guest (default: qemu)" },
    { name: "rules", value: "DIR", description: `Read the rules of DIR instead of ${CONFIG_DIRECTORY}` },
    { name: "print", description: "Print the whole new document" },
  ],
  stdin: "DOCUMENT",
  exitCodes: [{ code: exitCodeOf("bad-rules"), meaning: "The rules have mistakes; 1, 4 or 5 as the hook call" }],
  examples: [
    {
      command: "virsh dumpxml web-1 --migratable | virt-hooks edit migrate",
      description: "Show what this host changes when web-1 migrates to it",
    },
    {
      command: "virt-hooks edit migrate --print --rules ./rules < web-1.xml",
      description: "Print the document that rules in a folder would make",
    },
  ],
  run,
};

async function run(args: Args, context: CliContext): Promise<number> {
  const bytes = readDocument(context);
  const before = parse(bytes);
  const call = readCall([args.options["driver"] ?? "qemu", nameOf(before), args.positionals[0] ?? ""], bytes, context);
  if (!call.facts.filter) {
    const hint = "the operations are migrate and restore of qemu, and migrate of libxl";
    throw new CommandError(
      `Cannot edit at ${call.driver} ${call.operation}: libvirt does not read the document back there`,
      { hint, code: USAGE_CODE },
    );
  }
  const { reading } = await loadAskedRules(args, context);
  if (reading.kind === "broken") {
    for (const issue of reading.issues) context.sys.writeStderr(`${visible(issueLine(issue))}\n`);
    return exitCodeOf("bad-rules");
  }
  const isLate = timeLimit(call, reading.ruleSet, context.sys);
  const matches = await matchRules(reading.ruleSet, call, fileExists(context.sys), isLate);
  const undecided = matches.find((match) => match.problem !== undefined);
  if (undecided?.problem !== undefined) {
    throw new CommandError(`The call would fail: ${undecided.problem}`, { code: exitCodeOf("bad-call") });
  }
  const after = await applyEdits(planCall(matches, call, isLate), call, context);
  const problem = refuseDocument(before, after);
  if (problem !== undefined) throw new CommandError(`The call would fail: ${problem}`, { code: exitCodeOf("failed") });
  show(before.text, after.text, args, context);
  return 0;
}

function parse(bytes: Uint8Array): XmlDocument {
  const hint = "give it on stdin: virsh dumpxml GUEST --migratable | virt-hooks edit migrate";
  if (bytes.length === 0) throw new CommandError("Cannot edit: there is no document", { hint, code: USAGE_CODE });
  try {
    return parseLibvirtDocument(bytes);
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

/**
 * Does the edits of a plan; what else a hook would do, and failures that a rule takes, are noted on stderr.
 * @throws {CommandError} where the call would fail: a rule refuses, or what cannot be done fails the call
 */
async function applyEdits(plan: Plan, call: HookCall, context: CliContext): Promise<XmlDocument> {
  let document = call.xml();
  for (const intent of plan) {
    switch (intent.kind) {
      case "deny":
        throw callFails(intent.rule, intent.message, "refused");
      case "fault":
        meetFailure(intent, `cannot ${intent.action}: ${intent.message}`, context);
        break;
      case "edit": {
        const endMs = context.sys.elapsedMs() + REGEX_MS_MAX;
        const changed = await changeDocument(document, intent.step.edit, () => context.sys.elapsedMs() > endMs);
        if (changed.kind === "changed") document = changed.document;
        else meetFailure(intent, changed.problem, context);
        break;
      }
      case "run":
      case "hold":
        context.sys.writeStderr(`rule ${quote(intent.rule)}, not done here: ${renderIntent(intent)}\n`);
        break;
      default:
        return intent satisfies never;
    }
  }
  return document;
}

/** @throws {CommandError} when the rule says that a failure fails the call */
function meetFailure(intent: EditIntent | Fault, problem: string, context: CliContext): void {
  if (intent.onError === "fail") throw callFails(intent.rule, problem, "failed");
  context.sys.writeStderr(`rule ${quote(intent.rule)}: ${visible(problem)}\n`);
}

function callFails(rule: string, problem: string, kind: "refused" | "failed"): CommandError {
  return new CommandError(`The call would fail: rule "${rule}": ${problem}`, { code: exitCodeOf(kind) });
}

function show(before: string, after: string, args: Args, context: CliContext): void {
  if (args.flags.has("print")) return context.sys.writeStdout(after);
  if (before === after) return context.print("The rules change nothing in this document");
  const patch = createTwoFilesPatch("sent by libvirt", "handed back", before, after, undefined, undefined, {
    context: 2,
    timeout: DIFFERENCE_MS_MAX,
    maxEditLength: DIFFERENCE_LINES_MAX,
  });
  if (patch === undefined) {
    return context.print("The rules change this document: the difference is too large to show; use --print");
  }
  for (const line of patch.trimEnd().split("\n").slice(1)) context.print(paintLine(line, context));
}

function paintLine(line: string, context: CliContext): string {
  const text = visible(line);
  if (/^(---|\+\+\+)/.test(line)) return context.paint("bold", text);
  if (line.startsWith("@@")) return context.paint("cyan", text);
  if (line.startsWith("+")) return context.paint("green", text);
  return line.startsWith("-") ? context.paint("red", text) : text;
}
