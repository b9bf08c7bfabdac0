import { assertEquals } from "../support/assert.ts";
import { planFor } from "../support/plan_for.ts";

const RULES = `[[rule]]
name = "r"
when = { domain = "*" }
sysctl = [{ "vm.swappiness" = 1, "vm.overcommit_memory" = 1 }, { "vm.laptop_mode" = 0 }]
run = [{ argv = ["/a"], undo = ["/b"] }, { argv = ["/c"], undo = ["/d"] }]
modules = { load = ["kvm"] }
`;

Deno.test("what a rule holds several times by one action has names of its own", async () => {
  const plan = await planFor(RULES, { operation: "prepare" });
  assertEquals(
    plan.map((intent) => intent.kind === "hold" && intent.action),
    ["modules", "sysctl.1", "sysctl.2", "sysctl.3", "run.1", "run.2"],
  );
});

const READS = `[[rule]]
name = "r"
when = { domain = "*" }
cpus = { isolate = true, on_error = "continue" }
hugepages = {}
sysctl = { "vm.swappiness" = 1 }
`;

async function planOf(document: string, isLate = (): boolean => false): Promise<readonly unknown[]> {
  return (await planFor(READS, { operation: "prepare", document, isLate })).map((intent) =>
    intent.kind === "fault" ? [intent.action, intent.cause, intent.onError] : intent.kind
  );
}

Deno.test("an action that cannot read the document counts as its on_error says", async () => {
  assertEquals(await planOf("<domain>"), [["cpus", "document", "continue"], ["hugepages", "document", "fail"], "hold"]);
});

Deno.test("an action that the call has no time for counts as its on_error says", async () => {
  assertEquals(await planOf("<domain/>", () => true), [
    ["cpus", "time", "continue"],
    ["hugepages", "time", "fail"],
    "hold",
  ]);
});
