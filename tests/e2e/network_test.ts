/**
 * The whole life of the default network, as libvirt tells it to the compiled hook.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { DEFAULT_NETWORK, define, lxcDomain, makeContainerRoot } from "./guests.ts";
import { expected } from "./history.ts";
import { scene } from "./scene.ts";
import { makeWatch } from "./watch.ts";

function network(...operations: string[]): readonly string[] {
  return expected("network", "default", operations);
}

scene("the default network: every operation is in the history with its verb", async ({ nodeWith, step }) => {
  const node = await nodeWith("network", { hooks: ["network"] });
  await define(node, "network", DEFAULT_NETWORK);
  await define(node, "lxc", lxcDomain("ct1", await makeContainerRoot(node), { network: "default" }));
  const watch = makeWatch(node);

  await step("start", async () => {
    await node.mustVirsh(["net-start", "default"]);
    assertEquals(await watch.news(), network("start", "started"));
  });
  await step("a guest's port comes and goes", async () => {
    await node.lxc(["start", "ct1"]);
    assertEquals(await watch.news(), network("port-created"));
    await node.lxc(["destroy", "ct1"]);
    assertEquals(await watch.newsUntil("the port's end", "port-deleted"), network("port-deleted"));
  });
  await step("update", async () => {
    const host = "<host mac='52:54:00:00:00:01' ip='192.168.122.11'/>";
    await node.mustVirsh(["net-update", "default", "add", "ip-dhcp-host", host, "--live"]);
    assertEquals(await watch.news(), network("updated"));
  });
  await step("destroy", async () => {
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals(await watch.news(), network("stopped"));
  });
  await step("no operation of the table is left out, and all went well", async () => {
    const lines = await node.history();
    const seen = new Set(lines.map((line) => line.operation));
    assertEquals(Object.keys(drivers.network.operations).filter((operation) => !seen.has(operation)), []);
    assertEquals(lines.filter((line) => line.exitCode !== 0), []);
  });
});
