/**
 * What a guest needs of its host is there while it lives, and gone before anybody can miss what was there before.
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { define, lxcDomain, makeContainerRoot, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, changesOf, heldAfter, holdRule, recordHeldAt } from "./holds.ts";
import type { Node } from "./node.ts";
import { HOOKS, type Scene, scene } from "./scene.ts";

/** 120 KB, of which libvirt makes 2 MB: it indents each element by its depth. */
const DEEP_METADATA = `${"<a>".repeat(40)}${"<b/>".repeat(30_000)}${"</a>".repeat(40)}`;

async function setStage(startNode: Scene["startNode"], name: string): Promise<Node> {
  const node = await startNode(name);
  await node.installHooks(HOOKS, ["qemu", "lxc"]);
  await recordHeldAt(node, "qemu", '[ "$1 $2" != "vm3 start" ] || exit 9');
  await recordHeldAt(node, "lxc");
  await node.startLibvirtd();
  await define(node, "qemu", qemuDomain("vm1"));
  return node;
}

scene("held while the guest lives", async ({ startNode, step }) => {
  const node = await setStage(startNode, "life");
  await define(node, "lxc", lxcDomain("ct1", await makeContainerRoot(node)));
  await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
  await assertNothingHeld(node);

  await step("a QEMU guest", async () => {
    await node.mustVirsh(["start", "vm1"]);
    assertEquals(await heldAfter(node, "qemu vm1 prepare"), ["ttl", "msgmax"]);
    await assertHeld(node, "ttl", "msgmax");
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals(await heldAfter(node, "qemu vm1 stopped"), ["ttl", "msgmax"], "QEMU was still being cleaned up");
    assertEquals(await heldAfter(node, "qemu vm1 release"), []);
    await assertNothingHeld(node);
  });
  await step("a container", async () => {
    await node.lxc(["start", "ct1"]);
    assertEquals(await heldAfter(node, "lxc ct1 prepare"), ["ttl", "msgmax"]);
    await assertHeld(node, "ttl", "msgmax");
    await node.lxc(["destroy", "ct1"]);
    await node.operation("release");
    await assertNothingHeld(node);
  });
  await step("a guest whose owner lets its document grow beyond what a hook reads", async () => {
    await node.mustVirsh(["start", "vm1"]);
    for (let part = 0; part < 9; part++) {
      await node.mustVirsh(["metadata", "vm1", `urn:${part}`, "--key", "k", "--set", DEEP_METADATA, "--live"]);
    }
    const size = Number(await node.sh(["stat", "-c", "%s", "/run/libvirt/qemu/vm1.xml"]));
    assert(size > 16 * 1024 * 1024, `${size} bytes`);
    await assertHeld(node, "ttl", "msgmax");
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals((await node.history()).slice(-2).map(({ operation, outcome }) => [operation, outcome]), [
      ["stopped", "done"],
      ["release", "done"],
    ]);
    await assertNothingHeld(node);
  });
  await step("saved it holds nothing, restored it holds again", async () => {
    const image = `${node.scratch}/vm1.save`;
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["save", "vm1", image]);
    await assertNothingHeld(node);
    await node.mustVirsh(["restore", image]);
    await assertHeld(node, "ttl", "msgmax");
  });
  await step("a guest that ends by itself gives back as well", async () => {
    await node.sh(["sh", "-c", "kill -9 $(cat /run/libvirt/qemu/vm1.pid)"]);
    await node.operation("release");
    await assertNothingHeld(node);
  });
});

scene("a start that fails holds nothing", async ({ startNode, step }) => {
  const node = await setStage(startNode, "failed");

  await step("prepare itself takes back what it cannot have whole", async () => {
    // The kernel takes no such ttl, which only writing it shows.
    await node.writeRules(holdRule("half", ["keepalive", "msgmax", "ttl"], { values: { ttl: "999" } }));
    const before = (await node.history()).length;
    const refused = await node.virshFails(["start", "vm1"]);
    assertMatch(
      refused.stderr,
      /virt-hooks: rule "half": cannot hold sysctl net\.ipv4\.ip_default_ttl = 999: Invalid arg/,
    );
    assertEquals(await heldAfter(node, "qemu vm1 prepare"), [], "prepare left something to the calls that follow it");
    await assertNothingHeld(node);
    const lines = (await node.history()).slice(before);
    assertEquals(lines.map((line) => line.operation), ["prepare", "stopped", "release"]);
    assertEquals(lines[0]?.actions.map(({ end }) => end), ["done", "done", "failed"], "nothing was had in between");
    assertEquals(changesOf(lines.slice(1)), []);
  });
  await step("a disk that is missing: release gives back", async () => {
    await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
    await define(node, "qemu", qemuDomain("vm2", { disk: `${node.scratch}/nowhere.raw` }));
    await node.virshFails(["start", "vm2"]);
    assertEquals(await heldAfter(node, "qemu vm2 prepare"), ["ttl", "msgmax"]);
    assertEquals(changesOf((await node.history()).slice(-1)), [
      "qemu release: sysctl/kernel/msgmax restored",
      "qemu release: sysctl/net/ipv4/ip_default_ttl restored",
    ]);
    await assertNothingHeld(node);
  });
  await step("another hook that refuses at start: release gives back", async () => {
    await define(node, "qemu", qemuDomain("vm3"));
    await node.virshFails(["start", "vm3"]);
    assertEquals(await heldAfter(node, "qemu vm3 start"), ["ttl", "msgmax"]);
    await assertNothingHeld(node);
  });
});

scene("what was acquired is undone, whatever became of the rules", async ({ startNode, step }) => {
  const node = await setStage(startNode, "edited");
  const edits = [
    { what: "values changed", rules: holdRule("tuned", ["ttl", "msgmax"], { values: { ttl: "99", msgmax: "9999" } }) },
    { what: "the rule renamed, for other keys", rules: holdRule("other", ["keepalive"]) },
    { what: "no rule left", rules: "" },
    { what: "a broken file", rules: '[[rule]]\nname = "half a rule"\nwhen = { domain = "*"\n' },
  ];
  for (const { what, rules } of edits) {
    await step(what, async () => {
      await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
      await node.mustVirsh(["start", "vm1"]);
      await node.writeRules(rules);
      await assertHeld(node, "ttl", "msgmax");
      await node.mustVirsh(["destroy", "vm1"]);
      await assertNothingHeld(node);
      const ends = (await node.history()).slice(-2);
      assertEquals(ends.map(({ operation, exitCode }) => [operation, exitCode]), [["stopped", 0], ["release", 0]]);
      const outcome = what === "a broken file" ? "bad-rules" : "done";
      assertEquals(ends.map((line) => line.outcome), [outcome, outcome]);
    });
  }
  await step("the folder of rules gone", async () => {
    await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
    await node.mustVirsh(["start", "vm1"]);
    await Deno.remove(node.path("/etc/virt-hooks"), { recursive: true });
    await node.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(node);
  });
});
