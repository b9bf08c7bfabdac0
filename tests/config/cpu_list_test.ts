import { formatCpuSet, nameCpus, parseCpuSet } from "../../lib/config/cpu_list.ts";
import { assertEquals } from "../support/assert.ts";

const SETS = [
  { cpus: [], text: "" },
  { cpus: [3], text: "3" },
  { cpus: [8, 1, 0, 2, 1], text: "0-2,8" },
  { cpus: [0, 2, 4, 5], text: "0,2,4-5" },
];
for (const { cpus, text } of SETS) {
  Deno.test(`formatCpuSet() writes ${JSON.stringify(cpus)}, and it is read back`, () => {
    assertEquals(formatCpuSet(cpus), text);
    assertEquals(parseCpuSet(text) ?? [], [...new Set(cpus)].sort((a, b) => a - b));
  });
}

Deno.test("nameCpus() tells one CPU from several", () => {
  assertEquals([nameCpus([3]), nameCpus([0, 1, 4])], ["CPU 3", "CPUs 0-1,4"]);
});
