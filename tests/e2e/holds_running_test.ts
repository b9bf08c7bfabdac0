/**
 * What a guest needs once it runs: what can be known is refused before, and what fails then kills no guest.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, holdRule, recordHeldAt } from "./holds.ts";
import type { Node } from "./node.ts";
import { readText } from "./node_handle.ts";
import { HOOKS, scene } from "./scene.ts";
import { until } from "./until.ts";

const LOG = "/run/recorder";
const SEEN = "/run/recorder-seen";
/** Notes what it is told. It fails, or waits to be let go, where a test says so. */
const RECORD = `#!/bin/sh
echo "$1" >>${LOG}
[ "$1" = start ] || exit 0
[ ! -e /run/recorder-fails ] || exit 3
n=0; while [ -e /run/recorder-waits ] && [ $n -lt 300 ]; do sleep 0.05; n=$((n + 1)); done
`;

function recorder(program: string, more = ""): string {
  const argv = (what: string): string => `["${program}", "${what}"]`;
  return [
    '[[rule]]\nname = "recorder"\nwhen = { domain = "*" }',
    `run = { argv = ${argv("start")}, undo = ${argv("stop")}, during = "running"${more} }`,
    holdRule("tuned", ["ttl"]),
  ].join("\n");
}

async function recorded(node: Node): Promise<readonly string[]> {
  return (await readText(node.path(LOG))).split("\n").filter((line) => line !== "");
}

async function isDomainRunning(node: Node): Promise<boolean> {
  return (await node.mustVirsh(["domstate", "vm1"])).trim() === "running";
}

scene("what is needed while the guest runs", async ({ startNode, step }) => {
  const node = await startNode("running");
  await node.installHooks(HOOKS, ["qemu"]);
  await recordHeldAt(node, "qemu", `echo "$2" $(cat ${LOG}) >>${SEEN}`);
  const record = await node.writeProgram("record", RECORD);
  await node.startLibvirtd();
  await define(node, "qemu", qemuDomain("vm1"));
  await node.writeRules(recorder(record));

  async function begin(file?: string): Promise<void> {
    await node.sh(["rm", "-f", LOG, SEEN, "/run/recorder-fails", "/run/recorder-waits"]);
    await node.sh(["touch", LOG, ...(file === undefined ? [] : [file])]);
  }

  await step("from started to stopped", async () => {
    await begin();
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals((await readText(node.path(SEEN))).trimEnd().split("\n"), [
      "prepare",
      "start",
      "started start",
      "stopped start stop",
      "release start stop",
    ]);
    await assertNothingHeld(node);
  });
  await step("what can be known is refused at prepare", async () => {
    await begin();
    await node.writeRules(recorder("/etc/virt-hooks/programs/missing"));
    const seen = (await node.history()).length;
    const refused = await node.virshFails(["start", "vm1"]);
    assertStringIncludes(refused.stderr, "/etc/virt-hooks/programs/missing");
    const operations = (await node.history()).slice(seen).map((line) => line.operation);
    assertEquals(operations, ["prepare", "stopped", "release"]);
    await node.writeRules(recorder(record));
  });
  await step("what fails at started is undone and told, and the guest runs", async () => {
    await begin("/run/recorder-fails");
    await node.mustVirsh(["start", "vm1"]);
    assert(await isDomainRunning(node), "the guest does not run");
    const line = (await node.history()).at(-1);
    assertEquals([line?.operation, line?.outcome, line?.exitCode, line?.level], ["started", "failed", 0, "ERROR"]);
    assertEquals(await recorded(node), ["start", "stop"]);
    await assertHeld(node, "ttl");
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals(await recorded(node), ["start", "stop"]);
    await assertNothingHeld(node);
  });
  await step("unless the rule insists: then the guest ends, and nothing is left", async () => {
    await begin("/run/recorder-fails");
    await node.writeRules(recorder(record, ', on_error = "fail"'));
    await node.virshFails(["start", "vm1"]);
    assertEquals((await node.mustVirsh(["domstate", "vm1"])).trim(), "shut off");
    await assertNothingHeld(node);
    await node.writeRules(recorder(record));
  });
  await step("libvirtd dies meanwhile: the guest lives on, and so does what it needs", async () => {
    await begin("/run/recorder-waits");
    const seen = (await node.history()).length;
    const start = node.virsh(["start", "vm1"]);
    await until("the program", async () => (await recorded(node)).length > 0);
    await node.killLibvirtd();
    await start;
    await node.sh(["rm", "/run/recorder-waits"]);
    const line = await until("the orphan's line", async () => {
      return (await node.history()).slice(seen).find(({ operation }) => operation === "started");
    });
    assertEquals([line.outcome, line.exitCode], ["done", 0]);
    await node.startLibvirtd();
    await node.operation("reconnect");
    assert(await isDomainRunning(node), "the guest does not run");
    assertEquals(await recorded(node), ["start"]);
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals(await recorded(node), ["start", "stop"]);
    await assertNothingHeld(node);
  });
});
