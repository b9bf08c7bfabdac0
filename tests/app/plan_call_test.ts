import { planCall } from "../../lib/app/decide.ts";
import { makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { matchRules } from "../../lib/rules/match.ts";
import { readRules } from "../../lib/rules/read.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals } from "../support/assert.ts";

const RULES = `[[rule]]
name = "r"
when = { domain = "*" }
sysctl = [{ "vm.swappiness" = 1, "vm.overcommit_memory" = 1 }, { "vm.laptop_mode" = 0 }]
run = [{ argv = ["/a"], undo = ["/b"] }, { argv = ["/c"], undo = ["/d"] }]
modules = { load = ["kvm"] }
`;

Deno.test("what a rule holds several times by one action has names of its own", async () => {
  const reading = await readRules([{ path: "rules.toml", text: RULES }]);
  if (reading.kind !== "rules") throw new Error("The rules are broken");
  const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
  const options = { host: "hv-01", document: new Uint8Array(), parse: parseDocument };
  const call = makeCall(invocation, drivers.qemu.operations.prepare, options);
  const plan = planCall(await matchRules(reading.ruleSet, call, () => Promise.resolve(false)), call);
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

async function planOf(document: string, isLate?: () => boolean): Promise<readonly unknown[]> {
  const reading = await readRules([{ path: "rules.toml", text: READS }]);
  if (reading.kind !== "rules") throw new Error("The rules are broken");
  const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
  const options = { host: "hv-01", document: new TextEncoder().encode(document), parse: parseDocument };
  const call = makeCall(invocation, drivers.qemu.operations.prepare, options);
  return planCall(await matchRules(reading.ruleSet, call, () => Promise.resolve(false)), call, isLate).map((intent) =>
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
