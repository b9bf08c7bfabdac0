/**
 * The daemon's own life, as libvirt tells it to the compiled hook.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { expected } from "./history.ts";
import { HOOKS, scene } from "./scene.ts";
import { makeWatch } from "./watch.ts";

function daemon(...operations: string[]): readonly string[] {
  return expected("daemon", "-", operations);
}

scene("the daemon: every operation is in the history with its verb", async ({ startNode, step }) => {
  const node = await startNode("daemon");
  await node.installHooks(HOOKS, ["daemon"]);
  const watch = makeWatch(node);

  await step("start", async () => {
    await node.startLibvirtd();
    assertEquals(await watch.news(), daemon("start"));
    const file = await Deno.lstat(node.path("/var/log/virt-hooks/history.jsonl"));
    assertEquals((file.mode ?? 0) & 0o777, 0o600, "the history is for root alone");
  });
  await step("reload", async () => {
    await node.reload();
    assertEquals(await watch.newsUntil("the reload", "reload"), daemon("reload"));
    assertEquals((await node.history()).at(-1)?.extra, "SIGHUP");
  });
  await step("shutdown", async () => {
    await node.stopLibvirtd();
    assertEquals(await watch.news(), daemon("shutdown"));
  });
  await step("no operation of the table is left out, and all went well", async () => {
    const lines = await node.history();
    assertEquals(lines.map((line) => line.operation), Object.keys(drivers.daemon.operations));
    assertEquals(lines.filter((line) => line.exitCode !== 0), []);
  });
});
