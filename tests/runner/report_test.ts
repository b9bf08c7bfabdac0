/** What the test command prints, for a run that is made up. */
import { assertEquals } from "../support/assert.ts";
import { createReporter, formatEnd, formatSeconds, hasSucceeded, type Reporter } from "./report.ts";
import type { JobResult } from "./run_stages.ts";
import type { Job, Stage } from "./stages.ts";

const FORWARD: Job = { name: "forward", args: ["test", "tests/e2e/forward_test.ts"], files: 1 };
const OPEN: Job = { name: "open", args: ["test", "tests/e2e/open_test.ts"], files: 1 };
const E2E: Stage = { id: "e2e", title: "end to end", isExclusive: true, isRequired: false, jobs: [FORWARD, OPEN] };

const PASSED: JobResult = {
  ...{ job: FORWARD, seconds: 94, log: "dist/test-logs/e2e/forward.log", passed: 1, failed: 0, skipped: 1 },
  tests: [
    { kind: "passed", name: "a guest's forwards", seconds: 93 },
    { kind: "skipped", name: "on Debian 13 [SKIPPED, no network]", seconds: 0 },
  ],
  ...{ problems: [], errors: [] },
};
const FAILED: JobResult = {
  ...{ job: OPEN, seconds: 3, log: "dist/test-logs/e2e/open.log", passed: 0, failed: 1, skipped: 0 },
  tests: [{ kind: "failed", name: "a guest's open ports", seconds: 2 }],
  ...{ problems: [], errors: ["error: AssertionError: Values are not equal", "", "    at open_test.ts:3:1"] },
};

/** Plays a run in which the first test takes two minutes and the second fails. */
function play(columns: number | undefined): string {
  let [text, now] = ["", 0];
  const reporter: Reporter = createReporter({ write: (more) => text += more, columns, now: () => now });
  function wait(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      now++;
      reporter.tick();
    }
  }
  reporter.stageStarted(E2E);
  reporter.testEvent(E2E, FORWARD, { kind: "file", file: "./tests/e2e/forward_test.ts", tests: 2 });
  reporter.testEvent(E2E, FORWARD, { kind: "running", path: ["a guest's forwards"] });
  wait(50);
  reporter.testEvent(E2E, FORWARD, { kind: "running", path: ["a guest's forwards", "a reload"] });
  wait(44);
  for (const test of PASSED.tests) reporter.testEvent(E2E, FORWARD, test);
  reporter.jobEnded(E2E, PASSED);
  reporter.testEvent(E2E, OPEN, { kind: "file", file: "./tests/e2e/open_test.ts", tests: 1 });
  for (const test of FAILED.tests) reporter.testEvent(E2E, OPEN, test);
  reporter.jobEnded(E2E, FAILED);
  reporter.stageEnded(E2E, [PASSED, FAILED]);
  reporter.end([PASSED, FAILED], { isCi: false, isFiltered: false });
  return text;
}

const LINES = `SLOW  > 60 s  e2e: a guest's forwards › a reload
FAIL  a guest's open ports  (e2e/open, 2 s)
      error: AssertionError: Values are not equal

          at open_test.ts:3:1
      log: dist/test-logs/e2e/open.log
FAIL  end to end: 1 passed, 1 failed, 1 skipped (1 min 34 s)
      SKIPPED: on Debian 13 [SKIPPED, no network]

failed:
  a guest's open ports  (dist/test-logs/e2e/open.log)
slowest: a guest's forwards 1 min 33 s · a guest's open ports 2 s
again: deno task test e2e/open_test.ts --filter 'a guest'\\''s open ports'
1 passed, 1 failed, 1 skipped in 1 min 34 s
`;

Deno.test("a report that is piped has whole lines, one for each file, and no escape sequence", () => {
  const files = [
    "      e2e 1/2  forward: 1 passed, 0 failed, 1 skipped",
    "      e2e 2/2  open: 0 passed, 1 failed",
  ];
  const text = play(undefined);
  assertEquals(files.map((line) => text.includes(`${line}\n`)), [true, true]);
  assertEquals(text.split("\n").filter((line) => !files.includes(line)).join("\n"), LINES);
});

Deno.test("a report on a terminal redraws a counter of at most the terminal's width below the same lines", () => {
  const [lines, drawn] = Object.values(Object.groupBy(
    play(40).split(/(?=\r)|(?<=\n)/).map((part) => part.replace("\r\x1b[K", "")),
    (part) => part.endsWith("\n") ? "lines" : "drawn",
  ));
  const texts = [lines ?? [], drawn ?? []].toSorted((a, b) => a.length - b.length);
  assertEquals(texts[0]?.join(""), LINES);
  const counters = texts[1] ?? [];
  assertEquals(counters.filter((text) => text.length > 39), []);
  assertEquals(counters.includes("e2e 1/2 files, 0 tests: a guest's forw…"), true, counters.slice(0, 9).join("\n"));
});

Deno.test("a piped report is silent for a minute at most while many short tests run", () => {
  let [text, now] = ["", 0];
  const reporter = createReporter({ write: (more) => text += more, columns: undefined, now: () => now });
  reporter.stageStarted(E2E);
  reporter.testEvent(E2E, FORWARD, { kind: "file", file: "./tests/e2e/forward_test.ts", tests: 200 });
  for (; now < 90; now++) {
    reporter.testEvent(E2E, FORWARD, { kind: "passed", name: `test ${now}`, seconds: 1 });
    reporter.testEvent(E2E, FORWARD, { kind: "running", path: [`test ${now + 1}`] });
    reporter.tick();
  }
  assertEquals(text, "      e2e 1/2 files, 61 tests: test 61  0 s\n");
});

const EMPTY: JobResult = { ...PASSED, passed: 0, skipped: 0, tests: [] };
const BUILT: JobResult = { ...EMPTY, job: { name: "compile", args: ["run"], files: 0 }, passed: 1 };
const SKIPPED: JobResult = { ...EMPTY, skipped: 1 };

const OUTCOMES = [
  { name: "all passed", results: [{ ...PASSED, skipped: 0 }], isCi: true, isOk: true },
  { name: "a failure", results: [PASSED, FAILED], isCi: false, isOk: false },
  { name: "a skipped test", results: [PASSED], isCi: false, isOk: true },
  { name: "a skipped test in CI", results: [PASSED], isCi: true, isOk: false },
  { name: "only skipped tests", results: [SKIPPED], isCi: false, isOk: true },
  { name: "no test", results: [EMPTY], isCi: false, isOk: false },
  { name: "a build and no test", results: [BUILT, EMPTY], isCi: false, isOk: false },
  { name: "a build alone", results: [BUILT], isCi: false, isOk: true },
  { name: "nothing", results: [], isCi: false, isOk: false },
];

for (const { name, results, isCi, isOk } of OUTCOMES) {
  Deno.test(`a run with ${name} ${isOk ? "succeeds" : "fails"}`, () => {
    assertEquals(hasSucceeded(results, isCi), isOk);
  });
}

Deno.test("the end of a report says why a run without a failed test fails", () => {
  const options = { isCi: false, isFiltered: true, seconds: 1 };
  assertEquals(formatEnd([EMPTY], options).at(-2), "No test matches the filter");
  assertEquals(formatEnd([EMPTY], { ...options, isFiltered: false }).at(-2), "No test was run");
  const skipped = formatEnd([SKIPPED], { ...options, isCi: true });
  assertEquals(skipped.slice(-2), [
    "Tests were skipped: with CI=true that is a failure",
    "0 passed, 0 failed, 1 skipped in 1 s",
  ]);
});

Deno.test("formatSeconds() rounds to what is worth reading", () => {
  assertEquals([0.04, 0.44, 9.94, 9.96, 59.4, 59.6, 552].map(formatSeconds), [
    ...["0 s", "0.4 s", "9.9 s", "10 s", "59 s", "1 min 0 s", "9 min 12 s"],
  ]);
});
