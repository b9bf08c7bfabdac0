/** Reading what `deno test` prints. */
import { assertEquals } from "../support/assert.ts";
import { createOutputReader, readCounts, readErrors, type TestEvent } from "./test_output.ts";

const OUTPUT = `running 3 tests from ./tests/a_test.ts
alpha ...
  first step ...
------- output -------
looks like a result ... ok (3ms)
no newline----- output end -----
  first step ... ok (0ms)
  second ...
    deep ... FAILED (1ms)
  second ... FAILED (due to 1 failed step) (1ms)
alpha ... FAILED (due to 1 failed step) (12ms)
beta [SKIPPED, no root] ... ignored (0ms)
gamma ... ok (1m2s)
Uncaught error from ./tests/b_test.ts FAILED

 ERRORS 

alpha ... second ... deep => ./tests/a_test.ts:1:150
error: Error: boom
    at ./tests/a_test.ts:1:173

 FAILURES 

alpha ... second ... deep => ./tests/a_test.ts:1:150

FAILED | 1 passed (1 step) | 2 failed (2 steps) | 1 ignored (1s)
`;

const EVENTS: readonly TestEvent[] = [
  { kind: "file", file: "./tests/a_test.ts", tests: 3 },
  { kind: "running", path: ["alpha"] },
  { kind: "running", path: ["alpha", "first step"] },
  { kind: "running", path: ["alpha", "second"] },
  { kind: "failed", name: "alpha", seconds: 0.012 },
  { kind: "skipped", name: "beta [SKIPPED, no root]", seconds: 0 },
  { kind: "passed", name: "gamma", seconds: 62 },
  { kind: "broken file", file: "./tests/b_test.ts" },
];

Deno.test("createOutputReader() reports files, tests and steps, and ignores what tests print", () => {
  assertEquals(createOutputReader().read(OUTPUT), EVENTS);
});

Deno.test("createOutputReader() reports the same results when the output arrives byte by byte", () => {
  const reader = createOutputReader();
  const events = [...OUTPUT].flatMap((character) => reader.read(character));
  const withoutRunning = (all: readonly TestEvent[]): readonly TestEvent[] =>
    all.filter(({ kind }) => kind !== "running");
  assertEquals(withoutRunning(events), withoutRunning(EVENTS));
});

Deno.test("createOutputReader() reports a test that runs before its line is complete", () => {
  const reader = createOutputReader();
  assertEquals(reader.read("gamma ..."), [{ kind: "running", path: ["gamma"] }]);
  assertEquals(reader.read(" ok (3s)\n"), [{ kind: "passed", name: "gamma", seconds: 3 }]);
  assertEquals(reader.read("gamma ..."), [{ kind: "running", path: ["gamma"] }]);
});

Deno.test("createOutputReader() reports the result of a test that Deno has called slow", () => {
  const output = "alpha ...'alpha' has been running for over (1m0s)\n'alpha' has been running for over (2m0s)\n" +
    " FAILED (2m3s)\nbeta ... ok (1ms)\n";
  assertEquals(createOutputReader().read(output), [
    { kind: "failed", name: "alpha", seconds: 123 },
    { kind: "passed", name: "beta", seconds: 0.001 },
  ]);
});

Deno.test("createOutputReader() goes on with the steps of a test that Deno has called slow", () => {
  const output = "alpha ...\n  first ...'alpha' has been running for over (1m0s)\n ok (12s)\n  second ... ok (1ms)\n" +
    "alpha ... ok (1m20s)\n";
  assertEquals(createOutputReader().read(output), [
    { kind: "running", path: ["alpha"] },
    { kind: "passed", name: "alpha", seconds: 80 },
  ]);
});

const COUNTS = [
  { output: OUTPUT, counts: { passed: 1, failed: 2, skipped: 1 } },
  { output: "ok | 12 passed (3 steps) | 0 failed (2s)\n", counts: { passed: 12, failed: 0, skipped: 0 } },
  {
    output: "ok | 9 passed | 0 failed (1ms)\n\nok | 0 passed | 0 failed | 5 filtered out (6ms)\n",
    counts: { passed: 0, failed: 0, skipped: 0 },
  },
  { output: "running 3 tests from ./tests/a_test.ts\nalpha ...", counts: undefined },
];

Deno.test("readCounts() reads the closing line, and no counts from a run that broke off", () => {
  for (const { output, counts } of COUNTS) assertEquals(readCounts(output), counts);
});

Deno.test("readErrors() returns the section of errors, or the end of an output without one, within a limit", () => {
  assertEquals(readErrors(OUTPUT, 10), [
    "alpha ... second ... deep => ./tests/a_test.ts:1:150",
    "error: Error: boom",
    "    at ./tests/a_test.ts:1:173",
  ]);
  assertEquals(readErrors(OUTPUT, 1), ["alpha ... second ... deep => ./tests/a_test.ts:1:150", "… 2 more lines"]);
  assertEquals(readErrors("a\nb\nc\n", 2), ["… 1 line before", "b", "c"]);
});
