/**
 * The whole life of a container, as libvirt tells it to the compiled hooks.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { define, lxcDomain, makeContainerRoot } from "./guests.ts";
import { expected, onceEach } from "./history.ts";
import { scene } from "./scene.ts";
import { makeWatch } from "./watch.ts";

function lxc(...operations: string[]): readonly string[] {
  return expected("lxc", "ct1", operations);
}

scene("a container: every operation is in the history with its verb", async ({ nodeWith, step }) => {
  const node = await nodeWith("lxc", { hooks: ["lxc"] });
  await define(node, "lxc", lxcDomain("ct1", await makeContainerRoot(node)));
  const watch = makeWatch(node);

  await step("start", async () => {
    await node.lxc(["start", "ct1"]);
    assertEquals(await watch.news(), lxc("prepare", "start", "started"));
  });
  await step("reconnect when libvirtd comes back", async () => {
    await node.stopLibvirtd();
    await node.startLibvirtd();
    assertEquals(await watch.newsUntil("ct1's reconnect", "reconnect"), lxc("reconnect"));
  });
  await step("destroy", async () => {
    await node.lxc(["destroy", "ct1"]);
    assertEquals(onceEach(await watch.newsUntil("ct1's release", "release")), lxc("stopped", "release"));
  });
  await step("no operation of the table is left out, and all went well", async () => {
    const lines = await node.history();
    const seen = new Set(lines.map((line) => line.operation));
    assertEquals(Object.keys(drivers.lxc.operations).filter((operation) => !seen.has(operation)), []);
    assertEquals(lines.filter((line) => line.exitCode !== 0), []);
  });
});
