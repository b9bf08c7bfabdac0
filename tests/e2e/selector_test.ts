/**
 * Rules that select by what stands in the guest's document, as libvirt writes it.
 * @module
 */
import { assert, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { scene } from "./scene.ts";

const LABELS = '<labels><label name="role">web</label></labels>';
const UUID = "6f1c1b0a-53c5-4f0a-9d55-5cc0f2a6b111";

scene("rules select by label, path and UUID", async ({ nodeWith, step }) => {
  const node = await nodeWith("selectors", { hooks: ["qemu"] });
  await define(node, "qemu", qemuDomain("vm1", { uuid: UUID, vnc: "127.0.0.1" }));

  async function assertRefused(when: string): Promise<void> {
    await node.writeRules(
      `[[rule]]\nname = "chosen"\nwhen = { on = "prepare", ${when} }\ndeny = "chosen by ${when.split(" ")[0]}"\n`,
    );
    const start = await node.virsh(["start", "vm1"]);
    assert(start.code !== 0, `the start was not refused by ${when}`);
    assertStringIncludes(start.stderr, 'virt-hooks: rule "chosen": chosen by');
  }

  await step("a label that virsh metadata wrote", async () => {
    await node.mustVirsh(["metadata", "vm1", "urn:virt-hooks:1", "--key", "vh", "--set", LABELS, "--config"]);
    await assertRefused('label.role = "w*"');
  });
  await step("a path", async () => {
    await assertRefused(`xml = "/domain/devices/graphics[@type='vnc']"`);
  });
  await step("a UUID", async () => {
    await assertRefused(`uuid = "${UUID}"`);
  });
  await step("what does not match lets the guest start", async () => {
    await node.writeRules('[[rule]]\nname = "chosen"\nwhen = { on = "prepare", label.role = "db" }\ndeny = "no"\n');
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
  });
});
