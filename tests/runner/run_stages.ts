/**
 * Runs stages: each job is a process of `deno` whose output goes to a log file while it runs.
 * @module
 */
import type { Job, Stage } from "./stages.ts";
import { type Counts, createOutputReader, readCounts, readErrors, type TestEvent } from "./test_output.ts";

const ERROR_LINES_MAX = 40;

/** How a job ended. */
export interface JobResult extends Counts {
  readonly job: Job;
  readonly seconds: number;
  /** Relative to the root of the repository. */
  readonly log: string;
  /** The tests that ended, in order. */
  readonly tests: readonly Extract<TestEvent, { readonly name: string }>[];
  /** What failed although no test did: a file that cannot be loaded, a file without tests. */
  readonly problems: readonly string[];
  /** What the failed tests said; empty if none failed. */
  readonly errors: readonly string[];
}

/** Is told of a run's progress. */
export interface Listener {
  stageStarted(stage: Stage): void;
  testEvent(stage: Stage, job: Job, event: TestEvent): void;
  jobEnded(stage: Stage, result: JobResult): void;
  stageEnded(stage: Stage, results: readonly JobResult[]): void;
}

/** The surroundings of a run. */
export interface RunOptions {
  /** The root of the repository, as an absolute path that ends with `/`. */
  readonly root: string;
  /** The folder of the log files, relative to the root. */
  readonly logs: string;
  /** With a filter a file may have no test to run. */
  readonly isFiltered: boolean;
  /** How many stages may run at the same time. */
  readonly stagesAtOnce: number;
  readonly listener: Listener;
}

/**
 * Runs stages in their order, up to `stagesAtOnce` at the same time; an exclusive one runs alone. A required stage that
 * fails ends the run.
 */
export async function runStages(stages: readonly Stage[], options: RunOptions): Promise<readonly JobResult[]> {
  const results: JobResult[] = [];
  const running = new Set<Promise<void>>();
  for (const stage of stages) {
    const limit = stage.isExclusive ? 0 : options.stagesAtOnce - 1;
    while (running.size > limit) await Promise.race(running);
    const run = runStage(stage, options);
    const ended = run.then((own) => {
      results.push(...own);
      running.delete(ended);
    });
    running.add(ended);
    if (stage.isExclusive) await ended;
    if (stage.isRequired && (await run).some(({ failed }) => failed > 0)) break;
  }
  await Promise.all(running);
  return results;
}

async function runStage(stage: Stage, options: RunOptions): Promise<readonly JobResult[]> {
  const folder = `${options.logs}/${stage.id}`;
  await Deno.remove(options.root + folder, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(options.root + folder, { recursive: true });
  options.listener.stageStarted(stage);
  const results: JobResult[] = [];
  for (const job of stage.jobs) {
    const result = await runJob(stage, job, { ...options, log: `${folder}/${job.name}.log` });
    results.push(result);
    options.listener.jobEnded(stage, result);
  }
  options.listener.stageEnded(stage, results);
  return results;
}

async function runJob(stage: Stage, job: Job, options: RunOptions & { readonly log: string }): Promise<JobResult> {
  const { root, log, listener, isFiltered } = options;
  const startedMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...job.args],
    cwd: root,
    env: { NO_COLOR: "1" },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  using file = await Deno.open(root + log, { write: true, create: true, truncate: true });
  const reader = createOutputReader();
  const events: TestEvent[] = [];
  let [stdout, output] = ["", ""];
  function keep(chunk: string): void {
    output += chunk;
    writeWhole(file, chunk);
  }
  await Promise.all([
    forEachChunk(child.stderr, keep),
    forEachChunk(child.stdout, (chunk) => {
      keep(chunk);
      stdout += chunk;
      for (const event of job.files === 0 ? [] : reader.read(chunk)) {
        events.push(event);
        listener.testEvent(stage, job, event);
      }
    }),
  ]);
  const { code } = await child.status;
  const judged = job.files === 0 ? judgeCommand(code) : judgeTests(job, { code, stdout, events, isFiltered });
  return {
    ...{ job, log, seconds: (performance.now() - startedMs) / 1000 },
    tests: events.filter((event) => "name" in event),
    ...judged,
    errors: judged.failed === 0 ? [] : readErrors(output, ERROR_LINES_MAX),
  };
}

type Judgement = Counts & Pick<JobResult, "problems">;

function judgeCommand(code: number): Judgement {
  const hasFailed = code !== 0;
  return { passed: hasFailed ? 0 : 1, failed: hasFailed ? 1 : 0, skipped: 0, problems: [] };
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly events: readonly TestEvent[];
  readonly isFiltered: boolean;
}

/** Counts; a run that is not complete, or failed without a failed test, counts as a failure. */
function judgeTests(job: Job, { code, stdout, events, isFiltered }: Ended): Judgement {
  const counts = readCounts(stdout);
  const files = events.filter(({ kind }) => kind === "file" || kind === "broken file").length;
  const problems = events.flatMap((event) => {
    if (event.kind === "broken file") return [`${event.file} cannot be loaded, or failed outside of its tests`];
    return event.kind === "file" && event.tests === 0 && !isFiltered ? [`${event.file} has no test`] : [];
  });
  const hasCountedFailure = counts !== undefined && counts.failed > 0;
  if (code !== 0 && !hasCountedFailure && problems.length === 0) {
    problems.push(`deno test ended with exit code ${code}`);
  }
  if (code === 0 && counts === undefined) problems.push("deno test printed no counts");
  if (code === 0 && !isFiltered && files < job.files) problems.push(`only ${files} of ${job.files} files were run`);
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
  return { passed, failed: failed === 0 && problems.length > 0 ? problems.length : failed, skipped, problems };
}

async function forEachChunk(stream: ReadableStream<Uint8Array>, take: (chunk: string) => void): Promise<void> {
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) take(chunk);
}

function writeWhole(file: Deno.FsFile, text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
