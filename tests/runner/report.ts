/**
 * Prints the progress of a run. On a terminal the last line shows what runs and is redrawn; elsewhere each file has a line.
 * @module
 */
import type { JobResult, Listener } from "./run_stages.ts";
import type { Job, Stage } from "./stages.ts";
import type { Counts, TestEvent } from "./test_output.ts";

const SLOW_SECONDS = 60;
const SLOWEST_MAX = 5;
const AGAIN_MAX = 5;
/** Faster tests are not worth a place in the list of the slowest. */
const SLOWEST_SECONDS_MIN = 1;

/** Where the report goes. */
export interface Screen {
  write(text: string): void;
  /** Width of the terminal; `undefined` if it is none. */
  readonly columns: number | undefined;
  /** Seconds since any fixed moment. */
  now(): number;
}

/** A listener that prints. */
export interface Reporter extends Listener {
  /** Redraws the status line and reports what is slow; to be called each second. */
  tick(): void;
  /** Prints the end of the report. */
  end(results: readonly JobResult[], options: { readonly isCi: boolean; readonly isFiltered: boolean }): void;
}

/** A stage that runs. */
interface Running {
  readonly stage: Stage;
  readonly files: number;
  readonly startedAt: number;
  filesLoaded: number;
  testsEnded: number;
  /** The test, and steps, that run now. */
  current: readonly string[];
  currentSince: number;
  minutesReported: number;
}

/** Creates the reporter of one run. */
export function createReporter(screen: Screen): Reporter {
  const running = new Map<string, Running>();
  const startedAt = screen.now();
  let printedAt = startedAt;
  const isTerminal = screen.columns !== undefined;

  function line(text: string): void {
    screen.write(isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
    printedAt = screen.now();
  }
  function statusText(): string {
    return [...running.values()].map((own) => formatStatus(own, screen.now())).join(" · ");
  }
  function drawStatus(): void {
    if (screen.columns === undefined) return;
    screen.write(`\r\x1b[K${truncate(statusText(), screen.columns - 1)}`);
  }

  return {
    stageStarted: (stage) => {
      const files = stage.jobs.reduce((sum, job) => sum + job.files, 0);
      const now = screen.now();
      running.set(stage.id, {
        ...{ stage, files, startedAt: now, filesLoaded: 0, testsEnded: 0 },
        ...{ current: [], currentSince: now, minutesReported: 0 },
      });
      drawStatus();
    },
    testEvent: (stage, job, event) => {
      const own = running.get(stage.id);
      if (own !== undefined) noteEvent(own, event, screen.now());
      if (event.kind === "failed") line(`FAIL  ${event.name}  (${where(stage, job)}, ${formatSeconds(event.seconds)})`);
      drawStatus();
    },
    jobEnded: (stage, result) => {
      const own = running.get(stage.id);
      const counter = own === undefined ? "" : `${own.filesLoaded}/${own.files}`;
      for (const text of formatJob(stage, result, isTerminal ? undefined : counter)) line(text);
      drawStatus();
    },
    stageEnded: (stage, results) => {
      const seconds = screen.now() - (running.get(stage.id)?.startedAt ?? 0);
      running.delete(stage.id);
      for (const text of formatStage(stage, results, seconds)) line(text);
      drawStatus();
    },
    tick: () => {
      for (const own of running.values()) {
        const minutes = Math.floor((screen.now() - own.currentSince) / SLOW_SECONDS);
        if (minutes > own.minutesReported) {
          own.minutesReported = minutes;
          line(`SLOW  > ${minutes * SLOW_SECONDS} s  ${own.stage.id}${nameOf(own)}`);
        }
      }
      if (!isTerminal && screen.now() - printedAt >= SLOW_SECONDS) line(`      ${statusText()}`);
      drawStatus();
    },
    end: (results, options) => {
      for (const text of formatEnd(results, { ...options, seconds: screen.now() - startedAt })) line(text);
    },
  };
}

function noteEvent(own: Running, event: TestEvent, now: number): void {
  if (event.kind === "file") own.filesLoaded++;
  if ("name" in event) own.testsEnded++;
  const current = event.kind === "running" ? event.path : [];
  if (current[0] !== own.current[0]) {
    own.currentSince = now;
    own.minutesReported = 0;
  }
  own.current = current;
}

function nameOf(own: Running): string {
  return own.current.length === 0 ? "" : `: ${own.current.join(" › ")}`;
}

function formatStatus(own: Running, now: number): string {
  const counter = own.files === 0 ? "" : ` ${own.filesLoaded}/${own.files} files, ${own.testsEnded} tests`;
  return `${own.stage.id}${counter}${nameOf(own)}  ${formatSeconds(now - own.currentSince)}`;
}

/** The errors of a job that failed; with a counter, also a line for a job of several. */
export function formatJob(stage: Stage, result: JobResult, counter: string | undefined): readonly string[] {
  const lines: string[] = [];
  for (const problem of result.problems) lines.push(`FAIL  ${problem}  (${where(stage, result.job)})`);
  if (result.failed > 0) {
    lines.push(...result.errors.map((text) => `      ${text}`.trimEnd()), `      log: ${result.log}`);
  }
  if (counter !== undefined && stage.jobs.length > 1) {
    lines.push(`      ${stage.id} ${counter}  ${result.job.name}: ${formatResult([result])}`);
  }
  return lines;
}

/** The closing line of a stage, with the tests that it skipped. */
export function formatStage(stage: Stage, results: readonly JobResult[], seconds: number): readonly string[] {
  const isOk = results.every(({ failed }) => failed === 0);
  const skipped = results.flatMap(({ tests }) => tests).filter(({ kind }) => kind === "skipped");
  return [
    `${isOk ? "ok  " : "FAIL"}  ${stage.title}: ${formatResult(results)} (${formatSeconds(seconds)})`,
    ...skipped.map(({ name }) => `      SKIPPED: ${name}`),
  ];
}

/** The end of a run: how to run what failed again, the slowest tests, and one line of counts. */
export function formatEnd(
  results: readonly JobResult[],
  { isCi, isFiltered, seconds }: { readonly isCi: boolean; readonly isFiltered: boolean; readonly seconds: number },
): readonly string[] {
  const counts = addCounts(results);
  const lines = [""];
  const failed = results.filter((result) => result.failed > 0);
  if (failed.length > 0) lines.push("failed:");
  for (const result of failed) lines.push(...formatFailed(result));
  const slowest = results.flatMap(({ tests }) => tests).filter((test) => test.seconds >= SLOWEST_SECONDS_MIN)
    .toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST_MAX);
  if (slowest.length > 0) {
    lines.push(`slowest: ${slowest.map((test) => `${test.name} ${formatSeconds(test.seconds)}`).join(" · ")}`);
  }
  const again = [...new Set(failed.flatMap(commandsFor))];
  lines.push(...again.slice(0, AGAIN_MAX).map((command) => `again: ${command}`));
  if (again.length > AGAIN_MAX) lines.push(`       and ${again.length - AGAIN_MAX} more`);
  if (isRunEmpty(results)) lines.push(isFiltered ? "No test matches the filter" : "No test was run");
  if (isCi && counts.skipped > 0) lines.push("Tests were skipped: with CI=true that is a failure");
  lines.push(`${formatCounts(counts)} in ${formatSeconds(seconds)}`);
  return lines;
}

/** Whether the whole run is a success. */
export function hasSucceeded(results: readonly JobResult[], isCi: boolean): boolean {
  const counts = addCounts(results);
  return counts.failed === 0 && !isRunEmpty(results) && !(isCi && counts.skipped > 0);
}

function addCounts(results: readonly JobResult[]): Counts {
  const sum = (pick: (result: JobResult) => number): number => results.reduce((total, own) => total + pick(own), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
  };
}

/** Whether tests were to run and none did; a build that passed is no test. */
function isRunEmpty(results: readonly JobResult[]): boolean {
  const ofTests = results.filter(({ job }) => job.files > 0);
  const { passed, failed, skipped } = addCounts(ofTests);
  return results.length === 0 || (ofTests.length > 0 && passed + failed + skipped === 0);
}

function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function formatResult(results: readonly JobResult[]): string {
  const { passed, failed, skipped } = addCounts(results);
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

function formatFailed({ job, tests, problems, log }: JobResult): readonly string[] {
  const names = [...tests.filter(({ kind }) => kind === "failed").map(({ name }) => name), ...problems];
  return (names.length === 0 ? [job.name] : names).map((name) => `  ${name}  (${log})`);
}

function commandsFor({ job, tests, log }: JobResult): readonly string[] {
  const stageId = log.split("/").at(-2) ?? "";
  const failed = tests.filter(({ kind }) => kind === "failed");
  const [file, ...others] = job.args.filter((arg) => arg.endsWith("_test.ts"));
  const word = file === undefined || others.length > 0 ? stageId : file.replace(/^tests\//, "");
  if (failed.length === 0) return [`deno task test ${word}`];
  return failed.map(({ name }) => `deno task test ${word} --filter ${shellWord(name)}`);
}

function where(stage: Stage, job: Job): string {
  return stage.jobs.length > 1 ? `${stage.id}/${job.name}` : stage.id;
}

/** `0.4 s`, `41 s`, `9 min 12 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function truncate(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
