/**
 * A daemon for each driver, and a guest that is lost while it starts: libvirt keeps its port. Programs that are called like the
 * daemons stand in for them: whose hook a call is, and who may be starting a guest, is told from processes alone.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assertHeld, assertNothingHeld, holdRule } from "./holds.ts";
import type { Node } from "./node.ts";
import { COMMAND, HOOKS, scene } from "./scene.ts";
import { until } from "./until.ts";

const PORT_XML = new URL("../fixtures/network-port-created.xml", import.meta.url).pathname;
const PORT_UUID = "f6310441-bc6d-495a-a2bc-e51810fa6dda";
const PORTS = "/run/libvirt/network/default/ports";

/** Starts a daemon, which calls a hook and then goes on. */
async function startDaemon(node: Node, name: string, hook: string): Promise<string> {
  const made = `${node.scratch}/${name}.called`;
  const body = `${hook}; : >${made}; sleep 1000; :`;
  const script = `rm -f ${made}; ${node.scratch}/${name} -c '${body}' </dev/null >/dev/null 2>&1 & echo $!`;
  const pid = (await node.sh(["sh", "-c", script])).trim();
  await until(`the hook of ${name}`, async () => (await node.run(["test", "-e", made])).code === 0);
  return pid;
}

const STARTED = "/etc/libvirt/hooks/daemon - start - start </dev/null";
const CREATED = `/etc/libvirt/hooks/network default port-created begin - <${PORT_XML}`;

async function killDaemon(node: Node, pid: string): Promise<void> {
  await node.sh(["kill", "-9", pid]);
  await until("the daemon's end", async () => (await node.run(["kill", "-0", pid])).code !== 0);
}

/** A node on which daemons of guests run, and a guest of one of them has got its port and nothing else. */
async function setStage(node: Node, guestDaemons: readonly string[]): Promise<readonly string[]> {
  await node.installHooks(HOOKS, ["daemon", "network"]);
  await node.writeRules(holdRule("port", ["ttl"], { when: 'network = "default"', while: "port" }));
  for (const name of ["virtqemud", "virtlxcd", "virtnetworkd"]) {
    await node.sh(["cp", "/bin/bash", `${node.scratch}/${name}`]);
  }
  await node.sh(["mkdir", "-p", "/run/libvirt/qemu", PORTS]);
  const pids: string[] = [];
  for (const name of guestDaemons) pids.push(await startDaemon(node, name, ":"));
  await startDaemon(node, "virtnetworkd", CREATED);
  await node.sh(["sh", "-c", `echo "<networkport/>" >${PORTS}/${PORT_UUID}.xml`]);
  await assertHeld(node, "ttl");
  return pids;
}

scene(
  "a port of a guest that was lost in its start ends when the daemon of its guest starts",
  async ({ startNode }) => {
    const node = await startNode("lostport");
    const [qemu = ""] = await setStage(node, ["virtqemud"]);
    const status = await node.run([COMMAND, "status"]);
    assertEquals(status.code, 0);
    assertStringIncludes(status.stdout, "starting: since");
    await killDaemon(node, qemu);
    await startDaemon(node, "virtqemud", STARTED);
    await assertNothingHeld(node);
  },
);

scene("a port whose guest another daemon may be starting stays until that one is gone", async ({ startNode }) => {
  const node = await startNode("otherport");
  const [qemu = "", lxc = ""] = await setStage(node, ["virtqemud", "virtlxcd"]);
  await killDaemon(node, qemu);
  await startDaemon(node, "virtqemud", STARTED);
  await assertHeld(node, "ttl");
  assertStringIncludes(await node.sh([COMMAND, "reconcile"]), `virtlxcd (${lxc}) still runs and may be starting it`);
  await killDaemon(node, lxc);
  await node.sh([COMMAND, "reconcile"]);
  await assertNothingHeld(node);
});
