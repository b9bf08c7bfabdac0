/**
 * The CI workflow and the other YAML files of the repository.
 * @module
 */
// @ts-types="../support/std_yaml.d.ts"
import { parse } from "@std/yaml/parse";
import * as v from "valibot";
import { listTestFiles } from "../run.ts";
import { selectStages } from "../runner/stages.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { filesBelow, readText } from "./files.ts";

const WORKFLOW = v.object({
  jobs: v.record(
    v.string(),
    v.object({
      needs: v.optional(v.string()),
      "timeout-minutes": v.number(),
      strategy: v.optional(v.object({ matrix: v.object({ stage: v.array(v.string()) }) })),
      steps: v.array(v.object({ run: v.optional(v.string()), uses: v.optional(v.string()) })),
    }),
  ),
});

/** GitHub's form schema, as far as these forms use it. */
const FORM = v.object({
  name: v.string(),
  description: v.string(),
  labels: v.optional(v.array(v.string())),
  body: v.array(v.variant("type", [
    v.object({ type: v.literal("markdown"), attributes: v.object({ value: v.string() }) }),
    v.object({
      type: v.picklist(["input", "textarea"]),
      id: v.string(),
      attributes: v.object({
        label: v.string(),
        description: v.optional(v.string()),
        placeholder: v.optional(v.string()),
        render: v.optional(v.string()),
      }),
      validations: v.optional(v.object({ required: v.boolean() })),
    }),
  ])),
});

Deno.test("the CI workflow runs every stage of the test command", async () => {
  const { jobs } = v.parse(WORKFLOW, parse(await readText(".github/workflows/ci.yml")));
  const words = Object.values(jobs).flatMap(({ strategy, steps }) => {
    const commands = steps.flatMap(({ run }) => run?.split("\n") ?? []);
    const plain = commands.flatMap((command) => command.match(/(?:\.ci\/run|task test|task) (\w+)$/)?.[1] ?? []);
    return [
      ...plain,
      ...(commands.some((command) => command.includes("matrix.stage")) ? strategy?.matrix.stage ?? [] : []),
    ];
  });
  const files = listTestFiles();
  // A word that means no stage is an error.
  const run = new Set(
    words.filter((word) => word !== "demo").flatMap((word) => selectStages({ words: [word] }, files)).map(({ id }) =>
      id
    ),
  );
  const all = new Set(selectStages({ words: ["all"] }, files).map(({ id }) => id));
  assertEquals([...all.difference(run)], []);
});

Deno.test("the jobs of the CI workflow need jobs that exist", async () => {
  const { jobs } = v.parse(WORKFLOW, parse(await readText(".github/workflows/ci.yml")));
  for (const [name, { needs }] of Object.entries(jobs)) assert(needs === undefined || needs in jobs, name);
});

Deno.test("every YAML file below .github is well-formed, and an issue form has the fields that GitHub knows", async () => {
  const paths = (await filesBelow(".github")).filter((path) => path.endsWith(".yml"));
  assert(paths.length > 3, paths.join(" "));
  for (const path of paths) {
    const content = parse(await readText(path));
    if (!path.startsWith(".github/ISSUE_TEMPLATE/") || path.endsWith("/config.yml")) continue;
    const { body } = v.parse(FORM, content);
    const ids = body.flatMap((field) => "id" in field ? [field.id] : []);
    assertEquals(ids, [...new Set(ids)], path);
  }
});
