/**
 * The stage itself, with hooks that are plain shell scripts: what a node shows of libvirt, and what is left of it.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define, lxcDomain, makeContainerRoot, qemuDomain } from "./guests.ts";
import { onceEach } from "./history.ts";
import { scene } from "./scene.ts";
import { startNode } from "./node.ts";

const LOGGING_HOOK = `#!/bin/sh
echo "\${0##*/} $*" >>/var/log/calls
exit 0
`;

async function listing(folder: string): Promise<readonly string[]> {
  const found = [];
  for await (const entry of Deno.readDir(folder)) found.push(entry.name);
  return found.sort();
}

async function ownGroups(): Promise<readonly string[]> {
  const found = await new Deno.Command("find", {
    args: ["/sys/fs/cgroup", "-maxdepth", "2", "-name", "virt-hooks-e2e-*"],
  }).output();
  return new TextDecoder().decode(found.stdout).split("\n").filter((line) => line !== "");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** What of the host a node could have changed by mistake. */
async function lookAround(): Promise<Readonly<Record<string, unknown>>> {
  return {
    hooks: await listing("/etc/libvirt/hooks"),
    domains: await listing("/etc/libvirt/qemu"),
    rules: await exists("/etc/virt-hooks"),
    daemon: await exists("/run/libvirtd.pid"),
    interfaces: await listing("/sys/class/net"),
    hostname: Deno.hostname(),
  };
}

scene("a node shows libvirt's calls and touches nothing of the host", async ({ startNode, step }) => {
  const before = await lookAround();
  const node = await startNode("stage");
  for (const hook of ["daemon", "qemu", "lxc"]) await node.writeHook(hook, LOGGING_HOOK);
  await node.startLibvirtd();

  await step("a QEMU guest lives", async () => {
    await define(node, "qemu", qemuDomain("vm1"));
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
  });
  await step("its network is its own", async () => {
    await define(node, "network", DEFAULT_NETWORK);
    await node.mustVirsh(["net-start", "default"]);
    assertStringIncludes(await node.sh(["ls", "/sys/class/net"]), "virbr0");
    assertEquals(await lookAround(), before);
    await node.mustVirsh(["net-destroy", "default"]);
  });
  await step("a container lives", async () => {
    await define(node, "lxc", lxcDomain("ct1", await makeContainerRoot(node)));
    await node.lxc(["start", "ct1"]);
    await node.lxc(["destroy", "ct1"]);
  });
  await step("the daemon reloads and ends", async () => {
    await node.reload();
    await node.stopLibvirtd();
  });
  await step("every call was seen, in order", async () => {
    const life = ["prepare begin -", "start begin -", "started begin -", "stopped end -"];
    const calls = (await Deno.readTextFile(node.path("/var/log/calls"))).trimEnd().split("\n");
    const seen = calls.map((call) => call.replace(/ release end .*/, " release end"));
    assertEquals(onceEach(seen), [
      "daemon - start - start",
      ...life.map((call) => `qemu vm1 ${call}`),
      "qemu vm1 release end",
      ...life.map((call) => `lxc ct1 ${call}`),
      "lxc ct1 release end",
      "daemon - reload begin SIGHUP",
      "daemon - shutdown - shutdown",
    ]);
  });
  await step("the host has what it had", async () => {
    assertEquals(await lookAround(), before);
    assertEquals((await node.sh(["hostname"])).trim(), "stage");
  });
});

scene("a node that ends leaves nothing", async ({ step }) => {
  await step("its processes, folder and cgroups are gone", async () => {
    const node = await startNode({ name: "brief" });
    await node.startLibvirtd();
    const pid = (await Deno.readTextFile(`${node.scratch}/pid`)).trim();
    assertStringIncludes((await ownGroups()).join(" "), "-brief");
    await node.end();
    assert(!await exists(`/proc/${pid}`), "process 1 lives on");
    assert(!await exists(node.scratch), "the scratch folder is still there");
    assertEquals((await ownGroups()).filter((group) => group.endsWith("-brief")), []);
  });
});
