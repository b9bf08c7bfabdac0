/**
 * A rule that waits for a guest's crash, on a libvirt that passes the shut-off reason and on one that does not: where it can
 * never match, every command says so.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { COMMAND, sceneOnSystems } from "./scene.ts";
import { until } from "./until.ts";

const RULES = `[[rule]]
name = "a guest died"
when = { on = "release", reason = "crashed" }
run = { argv = ["/usr/bin/touch", "/var/log/died"] }
`;

sceneOnSystems("a guest that crashes", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`crash-${system.name}`, { system, hooks: ["qemu"], rules: RULES });
  await define(node, "qemu", qemuDomain("vm1"));
  // The daemon's own word: the command has to find it without asking.
  const [version = ""] = /\d+\.\d+\.\d+/.exec(await node.sh(["libvirtd", "--version"])) ?? [];
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isTold = major > 10 || (major === 10 && minor >= 5);

  await step(`check --host knows that this is libvirt ${version}, and what follows`, async () => {
    const { code, stdout } = await node.run([COMMAND, "check", "--host"]);
    assertStringIncludes(stdout, `ok    libvirt is ${version}: libvirtd (`);
    assertStringIncludes(stdout, "lets hooks start");
    assertEquals([code, stdout.includes(`never matches: it selects by "reason"`)], isTold ? [0, false] : [1, true]);
  });
  await step("explain says the same", async () => {
    const shown = await node.sh([COMMAND, "explain", "qemu", "vm1", "release", "end", "crashed"]);
    assertEquals(shown.includes(`note: libvirt ${version} of this host passes no shut-off reason`), !isTold);
  });
  await step("the rule is obeyed, or the history says why it was not", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await node.sh(["sh", "-c", "kill -SEGV $(cat /run/libvirt/qemu/vm1.pid)"]);
    const release = await until(
      "the guest's release",
      async () => (await node.history()).find(({ operation }) => operation === "release"),
    );
    assertStringIncludes(await node.mustVirsh(["domstate", "--reason", "vm1"]), "crashed");
    const hasRun = (await node.run(["test", "-e", "/var/log/died"])).code === 0;
    assertEquals(hasRun, isTold);
    const note = (release.notes ?? []).find((text) => text.includes("shut-off reason not passed"));
    assert(
      isTold ? note === undefined : note?.includes(`libvirt ${version}`) === true,
      `the notes are ${release.notes}`,
    );
  });
});
