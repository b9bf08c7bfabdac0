/**
 * The trace of every call: one JSON line, in the words of the standard library's log (`level`, `datetime`, `message`).
 * @module
 */
import type { Invocation } from "../libvirt/invocation.ts";
import { visible, visibleJson } from "../text/quote.ts";
import type { ValueChange } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import type { DocumentEdit } from "./document.ts";
import type { CallingDaemon, Outcome, Step } from "./outcome.ts";
import { HISTORY_FILE, LOG_DIRECTORY } from "./product.ts";

/** How much a line of the history matters. */
export type Level = "INFO" | "WARN" | "ERROR" | "CRITICAL";

/** One program or refusal in the history. */
export interface HistoryAction {
  readonly rule: string;
  readonly action: string;
  /** What was to be done, as `explain` prints it. */
  readonly plan: string;
  readonly end: Step["end"];
  readonly problem?: string;
  readonly durationMs: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** What an edit changed, the first few places: line of the document, old text, new text. */
  readonly changes?: readonly DocumentEdit[];
  /** What is held, by its key in the ledger, and what it was and is, where it changed. */
  readonly resource?: string;
  readonly change?: ValueChange;
}

/** What became of one resource that was held before the call. */
export interface HistoryHold {
  readonly resource: string;
  readonly end: string;
  readonly change?: ValueChange;
  readonly problem?: string;
}

/** The user that ran an administrator's command. */
export interface CommandUser {
  readonly uid: number;
  /** The user that sudo ran it for. */
  readonly sudoUser?: string;
  /** The unit of systemd that ran it. */
  readonly unit?: string;
}

/** One line of the history. */
export interface HistoryEntry {
  readonly level: Level;
  /** ISO 8601, UTC: when the call ended. */
  readonly datetime: string;
  /** The call and its outcome, for people. */
  readonly message: string;
  readonly driver: string;
  readonly object: string;
  readonly operation: string;
  readonly subOperation: string;
  readonly extra: string;
  /** What the operation is to us; absent for one that we do not know. */
  readonly verb?: string;
  /** The rules that matched, each with the selectors that decided. */
  readonly rules: readonly { readonly name: string; readonly because: readonly string[] }[];
  readonly actions: readonly HistoryAction[];
  /** What was held before and changed now, or could not be brought to its desired value. */
  readonly holds?: readonly HistoryHold[];
  /** What else was found. */
  readonly notes?: readonly string[];
  /** Guests that the call concerns and its object does not name. */
  readonly guests?: readonly string[];
  /** The daemon that made the call. */
  readonly daemon?: CallingDaemon;
  /** The user that ran an administrator's command. */
  readonly by?: CommandUser;
  readonly outcome: Outcome["kind"];
  readonly exitCode: number;
  /** From the program's start to here. */
  readonly durationMs: number;
  readonly pid: number;
  /** Set when parts were left out to keep the line short. */
  readonly shortened?: true;
}

const LINE_BYTES_MAX = 65_536;
const FILE_BYTES_MAX = 10_000_000;
const SHOWN_OUTPUT_LENGTH_MAX = 4000;
const SHOWN_TEXT_LENGTH_MAX = 200;

/** What the history needs of the world. */
export type HistorySys = Pick<
  Sys,
  "lstat" | "makeDirectory" | "appendLine" | "rename" | "tryWithLock" | "now" | "elapsedMs" | "pid"
>;

/** Puts the entry of a call together. */
export function historyEntry(
  invocation: Invocation,
  outcome: Outcome,
  exitCode: number,
  sys: Pick<Sys, "now" | "elapsedMs" | "pid">,
): HistoryEntry {
  const { driver, object, operation, subOperation, extra, facts } = invocation;
  const about = `${driver.name} ${shortened(visible(object))} ${shortened(visible(operation))}`;
  return {
    level: levelOf(outcome),
    datetime: sys.now().toISOString(),
    message: `${about}: ${outcome.problem ?? outcome.kind}`,
    driver: driver.name,
    object,
    operation,
    subOperation,
    extra,
    ...(facts === undefined ? {} : { verb: facts.verb }),
    rules: outcome.matches.filter((match) => match.matches).map((match) => ({
      name: match.rule.name,
      // A label, which a guest's owner writes, can be of any length.
      because: match.verdicts.map((verdict) => shortened(verdict.because)),
    })),
    actions: outcome.steps.map(historyAction),
    ...keptPart(outcome.kept),
    ...(outcome.guests === undefined ? {} : { guests: outcome.guests.map((name) => shortened(visible(name))) }),
    ...(outcome.daemon === undefined ? {} : { daemon: outcome.daemon }),
    outcome: outcome.kind,
    exitCode,
    durationMs: Math.round(sys.elapsedMs() * 10) / 10,
    pid: sys.pid,
  };
}

/** Where a failure does not fail the call, the level is the only sign of it. */
function levelOf(outcome: Outcome): Level {
  switch (outcome.kind) {
    case "done":
      return "INFO";
    case "bug":
      return "CRITICAL";
    case "disabled":
    case "unknown-operation":
    case "refused":
      return "WARN";
    case "bad-call":
    case "bad-rules":
    case "failed":
    case "late":
      return "ERROR";
  }
}

function historyAction(step: Step): HistoryAction {
  return {
    rule: step.intent.rule,
    action: "action" in step.intent ? step.intent.action : step.intent.kind,
    plan: step.plan,
    end: step.end,
    ...(step.problem === undefined ? {} : { problem: step.problem }),
    durationMs: Math.round(step.durationMs * 10) / 10,
    ...output("stdout", step.stdout),
    ...output("stderr", step.stderr),
    ...changed(step.changes),
    ...(step.resource === undefined ? {} : { resource: shortened(visible(step.resource)) }),
    ...(step.change === undefined ? {} : { change: step.change }),
  };
}

/** What was held and changed, and notes. What stayed as it was is not told. */
export function keptPart(kept: Outcome["kept"]): Pick<HistoryEntry, "holds" | "notes"> {
  if (kept === undefined) return {};
  const holds = kept.results.filter(({ end }) => end !== "unchanged").map(({ key, end, change, problem }) => ({
    resource: shortened(visible(key)),
    end,
    ...(change === undefined ? {} : { change }),
    ...(problem === undefined ? {} : { problem: visible(problem) }),
  }));
  return {
    ...(holds.length === 0 ? {} : { holds }),
    ...(kept.notes.length === 0 ? {} : { notes: kept.notes.map(visible) }),
  };
}

function changed(changes: readonly DocumentEdit[] | undefined): { changes?: readonly DocumentEdit[] } {
  if (changes === undefined || changes.length === 0) return {};
  return {
    changes: changes.map(({ line, from, to }) => ({ line, from: shortened(from), to: shortened(to) })),
  };
}

function shortened(text: string, lengthMax: number = SHOWN_TEXT_LENGTH_MAX): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}

function output(stream: "stdout" | "stderr", text: string | undefined): { stdout?: string; stderr?: string } {
  if (text === undefined || text === "") return {};
  return { [stream]: shortened(text, SHOWN_OUTPUT_LENGTH_MAX) };
}

/** The entry as a line, without its end; parts are left out when it would be too long. What is left at last always fits. */
export function historyLine(entry: HistoryEntry): string {
  const shorter: readonly HistoryEntry[] = [
    entry,
    { ...entry, actions: entry.actions.map(({ stdout: _, stderr: __, ...rest }) => rest), shortened: true },
    barest(entry),
  ];
  const lines = shorter.map((candidate) => visibleJson(JSON.stringify(candidate)));
  return lines.find((line) => new TextEncoder().encode(line).length < LINE_BYTES_MAX) ?? "";
}

/** Without what was decided and done, and with names cut: libvirt takes names of any length. */
function barest(entry: HistoryEntry): HistoryEntry {
  return {
    ...entry,
    message: shortened(entry.message, SHOWN_OUTPUT_LENGTH_MAX),
    object: shortened(entry.object),
    operation: shortened(entry.operation),
    subOperation: shortened(entry.subOperation),
    extra: shortened(entry.extra),
    rules: [],
    actions: [],
    holds: [],
    notes: [],
    shortened: true,
  };
}

/**
 * Appends to the history. A problem with the log never changes a call's outcome: the reason is returned.
 */
export function writeHistory(entry: HistoryEntry, sys: HistorySys): string | undefined {
  try {
    const problem = prepareLog(sys);
    if (problem === undefined) sys.appendLine(HISTORY_FILE, historyLine(entry));
    return problem;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function prepareLog(sys: HistorySys): string | undefined {
  const problem = logProblem(sys);
  if (problem !== undefined) return problem;
  if (sys.lstat(LOG_DIRECTORY) === undefined) sys.makeDirectory(LOG_DIRECTORY, 0o700);
  if ((sys.lstat(HISTORY_FILE)?.sizeBytes ?? 0) >= FILE_BYTES_MAX) rotate(sys);
  return undefined;
}

/** Why the hooks do not write to the log as it is; `undefined` when they do. A log that is not there yet is none. */
export function logProblem(sys: Pick<Sys, "lstat">): string | undefined {
  const folder = sys.lstat(LOG_DIRECTORY);
  if (
    folder !== undefined && (folder.kind !== "directory" || folder.uid !== 0 || (folder.mode & 0o022) !== 0)
  ) {
    return `${LOG_DIRECTORY} is not a folder that only root can write`;
  }
  const file = sys.lstat(HISTORY_FILE);
  return file === undefined || file.kind === "file" ? undefined : `${HISTORY_FILE} is not a regular file`;
}

/** Looked at again under the lock: two calls at once must not rotate twice and lose a file. */
function rotate(sys: HistorySys): void {
  sys.tryWithLock(`${LOG_DIRECTORY}/lock`, () => {
    if ((sys.lstat(HISTORY_FILE)?.sizeBytes ?? 0) >= FILE_BYTES_MAX) sys.rename(HISTORY_FILE, `${HISTORY_FILE}.1`);
  });
}
