/**
 * A virtual machine that boots a kernel of its own and asks for its address: its port waits, opens, and ends with it.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { cpio, type Entry } from "../passthrough/cpio.ts";
import { fetchKernel } from "../passthrough/kernel.ts";
import { BUSYBOX, DEFAULT_NETWORK, define } from "./guests.ts";
import { COMMAND, scene } from "./scene.ts";
import { until } from "./until.ts";
import { connectClient, OUTSIDE } from "./client.ts";

const RULES = `[[rule]]\nname = "web"\nwhen = { domain = "vm-1" }\nforward = { host_port = 8080, guest_port = 80 }\n`;
/** An emulated machine on a busy one. */
const BOOT_MS = 90_000;

const INIT = `#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
exec >/dev/console 2>&1
insmod /e1000.ko
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -s /lease -n -q -t 30 -T 1
while true; do nc -l -p 80 -e /answer; done
`;

const LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev eth0
ip route add default via "$router"
`;

/** The client reads once, and must not be cut off before. */
const ANSWER = "#!/bin/sh\necho vm-1 answers\nsleep 1\n";

const APPLETS = ["sh", "mount", "insmod", "ip", "udhcpc", "nc", "echo", "sleep"];

/** Writes the machine's first and only root folder. */
async function writeInitramfs(path: string, modules: string): Promise<void> {
  const file = (at: string, bytes: Uint8Array): Entry => ({ kind: "file", path: at, bytes, mode: 0o755 });
  const encoder = new TextEncoder();
  const entries: Entry[] = [
    ...["bin", "dev", "proc"].map((at): Entry => ({ kind: "folder", path: `/${at}` })),
    file("/bin/busybox", await Deno.readFile(BUSYBOX)),
    ...APPLETS.map((name): Entry => ({ kind: "link", path: `/bin/${name}`, target: "busybox" })),
    file("/e1000.ko", await Deno.readFile(`${modules}/kernel/drivers/net/ethernet/intel/e1000/e1000.ko`)),
    ...Object.entries({ "/init": INIT, "/lease": LEASE, "/answer": ANSWER })
      .map(([at, text]) => file(at, encoder.encode(text))),
  ];
  const blob = new Blob([...cpio(entries)].map((piece) => new Uint8Array(piece)));
  await Deno.writeFile(path, blob.stream());
}

function machine(kernel: string, initrd: string, log: string): string {
  return `<domain type='qemu'>
  <name>vm-1</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${kernel}</kernel><initrd>${initrd}</initrd><cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <interface type='network'><source network='default'/><model type='e1000'/></interface>
    <serial type='file'><source path='${log}'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

scene("a virtual machine's forward waits for its lease", async ({ nodeWith, step }) => {
  const node = await nodeWith("forward-qemu", {
    hooks: ["daemon", "qemu", "network"],
    rules: RULES,
    network: DEFAULT_NETWORK,
  });
  const { image, modules } = await fetchKernel();
  const initrd = `${node.scratch}/initrd`;
  await writeInitramfs(initrd, modules);
  await define(node, "qemu", machine(image, initrd, `${node.scratch}/console`));
  await using client = await connectClient(node);
  const ask = (): Promise<string> => client.ask("client", "tcp", OUTSIDE.host, 8080);
  const status = async (): Promise<string> => (await node.run([COMMAND, "status"])).stdout.replace(/\s+/g, " ");

  await step("when it has started its port waits", async () => {
    // Paused, so that no machine is quick enough to have its lease before it is looked at.
    await node.mustVirsh(["start", "--paused", "vm-1"]);
    assertStringIncludes(await status(), 'no address yet: waits for a lease of network "default"');
    assertEquals(await ask(), "refused");
  });
  await step("once it has booted and got its lease, it answers", async () => {
    await node.mustVirsh(["resume", "vm-1"]);
    try {
      await until("the machine's answer", async () => await ask() === "vm-1 answers", BOOT_MS);
    } catch (error) {
      if (error instanceof Error) error.message += `\n${await Deno.readTextFile(`${node.scratch}/console`)}`;
      throw error;
    }
    assertStringIncludes(await status(), 'DHCP lease on network "default"');
  });
  await step("with it the port ends", async () => {
    await node.mustVirsh(["destroy", "vm-1"]);
    assertEquals(await ask(), "refused");
    assertEquals((await node.sh(["nft", "list", "ruleset"])).match(/virt.hooks/g), null);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});
