/**
 * The one main of all hooks: argv and stdin in; exit code, one line on stderr and one in the history out.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import type { Driver } from "../libvirt/driver.ts";
import { type Invocation, InvocationError, parseInvocation } from "../libvirt/invocation.ts";
import { visible } from "../text/quote.ts";
import { boundedPaths } from "../sys/bounded_paths.ts";
import type { Sys } from "../sys/sys.ts";
import { hasLedger } from "../ledger/layout.ts";
import { DISABLED_FILE, lookAtConfig, PRODUCT, VERSION } from "./product.ts";
import { historyEntry, writeHistory } from "./history.ts";
import { exitCode, exitCodeOf, type Outcome } from "./outcome.ts";
import { watcherIn } from "./holds/launch_watcher.ts";

const STDIN_BYTES_MAX = 16 * 1024 * 1024;
const TOO_LONG = { bytesMax: STDIN_BYTES_MAX } as const;

/** Answers one hook call; returns the exit code. Never throws. */
export async function runHook(driver: Driver, host: Host): Promise<number> {
  const { sys } = host;
  const waiting = watcherIn(sys.args);
  if (waiting === "guests") return await (await import("./holds/watchers.ts")).watchLeases(driver, host);
  if (waiting === "firewall") return await (await import("./holds/watchers.ts")).watchFirewall(driver, host);
  let invocation: Invocation;
  try {
    invocation = parseInvocation(driver, sys.args);
  } catch (error) {
    if (!(error instanceof InvocationError)) throw error;
    return usage(driver, error, sys);
  }
  // libvirt's session mode runs the system's hooks as the user: not our business, and nothing we could write.
  if (sys.uid() !== 0) return 0;
  sys.onUncaught((error) => report(invocation, bug(error), sys));
  try {
    return report(invocation, await answer(invocation, host), sys);
  } catch (error) {
    return report(invocation, bug(error), sys);
  }
}

function usage(driver: Driver, error: InvocationError, sys: Sys): number {
  sys.writeStderr(
    `${PRODUCT}: ${error.message}\n` +
      `hint: this is the ${driver.name} hook of ${PRODUCT} ${VERSION}, run by libvirt as ` +
      `/etc/libvirt/hooks/${driver.name} OBJECT OPERATION SUB-OPERATION EXTRA; "virt-hooks --help" is for people\n`,
  );
  return exitCodeOf("bad-call");
}

async function answer(invocation: Invocation, host: Host): Promise<Outcome> {
  const { facts } = invocation;
  const input = host.sys.readStdin(STDIN_BYTES_MAX);
  if (facts === undefined) {
    return { ...NOTHING, kind: "unknown-operation", problem: `${PRODUCT} ${VERSION} knows no such operation` };
  }
  const sys: Sys = { ...host.sys, paths: boundedPaths(host.sys, facts.budgetMs) };
  const config = await lookAtConfig(sys);
  if (config === "disabled") {
    return { ...NOTHING, kind: "disabled", problem: `every hook is off, since there is ${DISABLED_FILE}` };
  }
  // A host without rules does not pay for what obeys them. But a guest may hold what rules of yesterday gave it.
  if (config === "nothing" && !hasLedger(sys)) return { ...NOTHING, kind: "done" };
  const { answerCall } = await import("./answer_call.ts");
  const document = input.kind === "whole" ? { document: input.bytes } : { document: input.head, cut: TOO_LONG };
  return await answerCall({ invocation, facts, config, ...document }, { ...host, sys });
}

/** An outcome in which no rule had a say. */
const NOTHING = { weight: "fails", matches: [], steps: [] } as const;

function bug(error: unknown): Outcome {
  const message = visible(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  const hint = `this is a mistake in ${PRODUCT} ${VERSION}: please report it`;
  return { ...NOTHING, kind: "bug", problem: `internal error: ${message}`, hint };
}

/** The way out: the document and the line for libvirt, the line in the history, the exit code. */
function report(invocation: Invocation, planned: Outcome, sys: Sys): number {
  const outcome = writeDocument(planned, sys);
  const code = exitCode(outcome, invocation.facts);
  // First: a full stderr that is never read blocks this process for ever.
  writeHistory(historyEntry(invocation, { daemon: { pid: sys.ppid() }, ...outcome }, code, sys), sys);
  if (outcome.problem !== undefined && outcome.kind !== "disabled" && outcome.kind !== "unknown-operation") {
    const hint = outcome.hint === undefined ? "" : `hint: ${outcome.hint}\n`;
    try {
      sys.writeStderr(`${PRODUCT}: ${outcome.problem}\n${hint}`);
    } catch {
      // A closed stderr: the history still tells.
    }
  }
  return code;
}

/** libvirt would go on with the old document if half of the new one were taken for success. */
function writeDocument(outcome: Outcome, sys: Sys): Outcome {
  if (outcome.stdout === undefined) return outcome;
  const reason = isStdoutClosed(sys) ? "stdout is closed, or /dev/null" : tryToWrite(outcome.stdout, sys);
  if (reason === undefined) return outcome;
  return { ...outcome, kind: "failed", weight: "fails", problem: `cannot hand libvirt the new document: ${reason}` };
}

/** Where a program is started with its stdout closed, its runtime puts /dev/null there: a write would seem to succeed. */
function isStdoutClosed(sys: Pick<Sys, "readLink">): boolean {
  try {
    return sys.readLink("/proc/self/fd/1") === "/dev/null";
  } catch {
    // Without /proc it cannot be told; the write tells what it can.
    return false;
  }
}

/** Why the document cannot be written. */
function tryToWrite(document: string, sys: Pick<Sys, "writeStdout">): string | undefined {
  try {
    sys.writeStdout(document);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
