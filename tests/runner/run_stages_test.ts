/** Runs stages of made-up test files with the real `deno test`. */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type JobResult, type Listener, runStages } from "./run_stages.ts";
import type { Stage } from "./stages.ts";

const FILES = {
  "good_test.ts": `Deno.test("good", () => console.log("printed"));`,
  "bad_test.ts": `Deno.test("good", () => {}); Deno.test("bad", () => { throw new Error("boom"); });`,
  "broken_test.ts": `throw new Error("cannot load");`,
  "empty_test.ts": `export {};`,
  "skipped_test.ts": `Deno.test({ name: "skipped", ignore: true, fn: () => {} });`,
} as const;

interface Played {
  readonly results: readonly JobResult[];
  readonly log: readonly string[];
  readonly output: (result: JobResult) => string;
}

/** Runs stages in a folder with the files above; the log tells the order of what the listener was told. */
async function play(
  stages: readonly Stage[],
  options: { readonly stagesAtOnce?: number; readonly isFiltered?: boolean } = {},
): Promise<Played> {
  const root = `${await Deno.makeTempDir()}/`;
  const log: string[] = [];
  const listener: Listener = {
    stageStarted: ({ id }) => log.push(`${id} started`),
    testEvent: ({ id }, _job, event) => "name" in event && log.push(`${id}: ${event.name} ${event.kind}`),
    jobEnded: ({ id }, { job }) => log.push(`${id}: ${job.name} ended`),
    stageEnded: ({ id }) => log.push(`${id} ended`),
  };
  try {
    for (const [name, text] of Object.entries(FILES)) await Deno.writeTextFile(root + name, text);
    const given = { root, logs: "logs", isFiltered: options.isFiltered ?? false, listener };
    const results = await runStages(stages, { ...given, stagesAtOnce: options.stagesAtOnce ?? 1 });
    const texts = new Map(results.map((result) => [result, Deno.readTextFileSync(root + result.log)]));
    return { results, log, output: (result) => texts.get(result) ?? "" };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function testStage(id: string, files: readonly (keyof typeof FILES)[], more: Partial<Stage> = {}): Stage {
  const jobs = files.map((file) => ({
    name: file.replace("_test.ts", ""),
    args: ["test", "-A", "--no-check", "--no-config", "--no-lock", file],
    files: 1,
  }));
  return { id, title: id, isExclusive: false, isRequired: false, jobs, ...more };
}

function commandStage(id: string, code: string, more: Partial<Stage> = {}): Stage {
  const jobs = [{ name: id, args: ["eval", code], files: 0 }];
  return { id, title: id, isExclusive: false, isRequired: false, jobs, ...more };
}

const JOBS = [
  { file: "good_test.ts", counts: [1, 0, 0], problems: [], error: undefined },
  { file: "bad_test.ts", counts: [1, 1, 0], problems: [], error: "Error: boom" },
  {
    file: "broken_test.ts",
    counts: [0, 1, 0],
    problems: ["./broken_test.ts cannot be loaded, or failed outside of its tests"],
    error: "cannot load",
  },
  { file: "empty_test.ts", counts: [0, 1, 0], problems: ["./empty_test.ts has no test"], error: "0 passed" },
  { file: "skipped_test.ts", counts: [0, 0, 1], problems: [], error: undefined },
] as const;

for (const { file, counts, problems, error } of JOBS) {
  Deno.test(`runStages() counts and keeps the output of ${file}`, async () => {
    const { results, output } = await play([testStage("stage", [file])]);
    const [result] = results;
    if (result === undefined) throw new Error("No result");
    assertEquals([result.passed, result.failed, result.skipped], [...counts]);
    assertEquals(result.problems, problems);
    assertStringIncludes(output(result), `./${file}`);
    assertStringIncludes(result.errors.join("\n"), error ?? "");
    assertEquals(result.errors.length > 0, error !== undefined);
  });
}

Deno.test("runStages() counts a test process that ends without counts as a failure", async () => {
  for (
    const [exitCode, problem] of [[7, "deno test ended with exit code 7"], [0, "deno test printed no counts"]] as const
  ) {
    const code = `console.log("running 1 test from ./a_test.ts\\nalpha ..."); Deno.exit(${exitCode})`;
    const job = { name: "a", args: ["eval", code], files: 1 };
    const { results } = await play([{ ...testStage("stage", []), jobs: [job] }]);
    assertEquals(results.map(({ failed, problems }) => [failed, problems]), [[1, [problem]]]);
    assertEquals(results[0]?.errors, ["running 1 test from ./a_test.ts", "alpha ..."]);
  }
});

Deno.test("runStages() counts a file without a matching test as no failure when a filter is given", async () => {
  const { results } = await play([testStage("stage", ["empty_test.ts"])], { isFiltered: true });
  assertEquals(results.map(({ failed }) => failed), [0]);
});

Deno.test("runStages() counts a command as one test, and reports its output when it fails", async () => {
  const { results } = await play([
    commandStage("fine", ""),
    commandStage("failing", `console.error("what is wrong"); Deno.exit(3)`),
  ]);
  assertEquals(results.map(({ passed, failed, errors }) => [passed, failed, errors]), [[1, 0, []], [0, 1, [
    "what is wrong",
  ]]]);
});

Deno.test("runStages() ends behind a required stage that fails", async () => {
  const failing = commandStage("compile", "Deno.exit(1)", { isExclusive: true, isRequired: true });
  const { log } = await play([failing, testStage("tests", ["good_test.ts"])]);
  assertEquals(log, ["compile started", "compile: compile ended", "compile ended"]);
});

Deno.test("runStages() reports a failed test before the next file starts", async () => {
  const { log } = await play([testStage("tests", ["bad_test.ts", "good_test.ts"])]);
  assertEquals(log, [
    "tests started",
    "tests: good passed",
    "tests: bad failed",
    "tests: bad ended",
    "tests: good passed",
    "tests: good ended",
    "tests ended",
  ]);
});

/** A command that ends once the file of another one exists. */
function waitingStage(id: string, other: string): Stage {
  return commandStage(
    id,
    `Deno.writeTextFileSync("${id}", ""); for (;;) { try { Deno.statSync("${other}"); break; } catch { /* not yet */ } }`,
  );
}

Deno.test("runStages() runs stages at the same time, and an exclusive one alone", async () => {
  const { log, results } = await play([
    waitingStage("first", "second"),
    waitingStage("second", "first"),
    commandStage("alone", "", { isExclusive: true }),
    commandStage("last", ""),
  ], { stagesAtOnce: 2 });
  assertEquals(results.map(({ failed }) => failed), [0, 0, 0, 0]);
  const order = log.filter((line) => !line.includes(":"));
  assertEquals(order.slice(0, 4).toSorted(), ["first ended", "first started", "second ended", "second started"]);
  assertEquals(order.slice(4), ["alone started", "alone ended", "last started", "last ended"]);
});
