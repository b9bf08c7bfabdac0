/** Which stages the words of a command line mean. */
import { assertEquals, assertThrows } from "../support/assert.ts";
import { selectStages, type Stage } from "./stages.ts";

const FILES = [
  "build/build_test.ts",
  "docs/commands_test.ts",
  "e2e/forward_test.ts",
  "e2e/open_test.ts",
  "golden/golden_test.ts",
  "new_folder/new_test.ts",
  "resources/nft/table_test.ts",
];

/** Stages as `stage: job job`. */
function described(stages: readonly Stage[]): readonly string[] {
  return stages.map(({ id, jobs }) => `${id}: ${jobs.map(({ name }) => name).join(" ")}`);
}

const SELECTIONS = [
  { words: ["ok"], stages: ["format: format", "lint: lint", "types: types", "unit: unit"] },
  { words: ["e2e"], stages: ["compile: compile", "e2e: forward open"] },
  { words: ["build"], stages: ["compile: compile", "build: build", "examples: docs.commands"] },
  { words: ["compile"], stages: ["compile: compile"] },
  { words: ["golden", "unit"], stages: ["unit: unit", "compile: compile", "golden: golden"] },
  { words: ["resources"], stages: ["unit: unit"] },
  { words: ["tests/e2e/open_test.ts"], stages: ["compile: compile", "e2e: open"] },
  { words: ["docs/"], stages: ["compile: compile", "examples: docs.commands"] },
  { words: ["ok"], filter: "lease", stages: ["unit: unit"] },
];

for (const { words, filter, stages } of SELECTIONS) {
  const options = filter === undefined ? "" : ` --filter ${filter}`;
  Deno.test(`deno task test ${words.join(" ")}${options} runs ${stages.join(", ")}`, () => {
    assertEquals(described(selectStages({ words, filter }, FILES)), stages);
  });
}

Deno.test("a folder that no stage names belongs to the unit tests", () => {
  const [unit] = selectStages({ words: ["unit"] }, FILES);
  assertEquals(unit?.jobs[0]?.args.filter((arg) => arg.startsWith("tests/")), [
    "tests/new_folder/new_test.ts",
    "tests/resources/nft/table_test.ts",
  ]);
});

Deno.test("no words mean every stage, and each test file is run exactly once", () => {
  const stages = selectStages({ words: [] }, FILES);
  assertEquals(stages.at(0)?.id, "format");
  const files = stages.flatMap(({ jobs }) => jobs).flatMap(({ args }) =>
    args.filter((arg) => arg.endsWith("_test.ts"))
  );
  assertEquals(files.toSorted(), FILES.map((file) => `tests/${file}`));
});

Deno.test("a filter is passed to every test job", () => {
  for (const { id, jobs } of selectStages({ words: [], filter: "a b" }, FILES)) {
    if (id === "compile") continue;
    for (const { args } of jobs) assertEquals(args.includes("--filter=a b"), true, id);
  }
});

Deno.test("a word that means nothing is refused with the words that exist", () => {
  assertThrows(() => selectStages({ words: ["ledgr"] }, FILES), RangeError, 'Cannot run "ledgr": it is neither');
});
