/**
 * PCI devices over the lives of guests, on a host in memory whose drivers react as the kernel's do.
 * @module
 */
import { TOOLS } from "../../lib/sys/tools.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { killable } from "../support/killing_sys.ts";
import { UUID } from "../support/ledger_host.ts";
import { AUDIO, BOTH, GIVEN, GPU, HOME, OTHER, pciStage } from "../support/pci_stage.ts";
import { deviceState, hostdevXml, pullOut } from "../support/pci_tree.ts";

Deno.test("a card of two functions goes to a guest and comes back", async () => {
  const { on, now } = pciStage();
  const prepared = await on.call("qemu", "prepare", BOTH);
  assertEquals([prepared.code, prepared.stderr, now()], [0, "", GIVEN]);
  assertMatch(JSON.stringify(prepared.history), /"from":"with nvidia","to":"with vfio-pci"/);
  assertEquals([(await on.call("qemu", "started", BOTH)).code, now()], [0, GIVEN]);
  assertEquals([(await on.call("qemu", "release", BOTH)).code, now(), on.ledgerFiles()], [0, HOME, []]);
});

Deno.test("a running guest's own program does not stand in its way", async () => {
  const { on, now, openers } = pciStage();
  await on.call("qemu", "prepare", BOTH);
  openers.push({ pid: 77, name: "qemu-system-x86", path: "/dev/vfio/1" });
  on.nodes.set("/proc/77/cmdline", { kind: "file", text: `qemu\0-uuid\0${UUID}\0`, uid: 0, mode: 0o444 });
  for (const operation of ["started", "reconnect", "prepare"]) {
    assertEquals([(await on.call("qemu", operation, BOTH)).stderr, now()], ["", GIVEN]);
  }
});

Deno.test("two guests, one device: the second is refused and both are named", async () => {
  const { on, now } = pciStage();
  await on.call("qemu", "prepare", BOTH);
  const refused = await on.call("qemu", "prepare", OTHER);
  assertEquals([refused.code, now()], [4, GIVEN]);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "gaming") has it and guest "db-1" (rule "gaming") wants it: only one guest can use a device',
  );
  await on.call("qemu", "release", BOTH);
  assertEquals([(await on.call("qemu", "prepare", OTHER)).code, now()], [0, GIVEN]);
});

Deno.test("two rules of one guest may ask for the same device, with the same driver", async () => {
  const second = (driver: string): string =>
    `[[rule]]\nname = "again"\nwhen = { domain = "*" }\npci = { devices = ["${GPU}", "${AUDIO}"], driver = "${driver}" }\n`;
  const same = pciStage(undefined, { actions: second("vfio-pci") });
  assertEquals([(await same.on.call("qemu", "prepare", BOTH)).stderr, same.now()], ["", GIVEN]);
  await same.on.call("qemu", "release", BOTH);
  assertEquals([same.now(), same.on.ledgerFiles()], [HOME, []]);
  const other = pciStage(undefined, { actions: second("pci-stub"), drivers: ["vfio-pci", "pci-stub"] });
  const refused = await other.on.call("qemu", "prepare", BOTH);
  assertEquals([refused.code, other.now()], [4, HOME]);
  assertMatch(refused.stderr, /wants it with vfio-pci, .* wants it with pci-stub/);
});

for (
  const [at, between] of [
    [`/sys/bus/pci/devices/${GPU}/driver_override`, "nvidia vfio-pci"],
    ["/sys/bus/pci/drivers/nvidia/unbind", "none vfio-pci"],
    ["/sys/bus/pci/drivers/vfio-pci/bind", "vfio-pci vfio-pci"],
  ] as const
) {
  for (const after of ["release", "prepare", "reconnect"] as const) {
    Deno.test(`a hook killed when it had written ${at}: ${after} mends it`, async () => {
      const { on, now } = pciStage();
      await on.call("qemu", "prepare", BOTH, (sys) => killable(sys, { at: `kernel.write ${at}`, moment: "after" }).sys);
      assertEquals(now(), [between, HOME[1]]);
      await on.call("qemu", after, BOTH);
      assertEquals(now(), after === "release" ? HOME : after === "prepare" ? GIVEN : [GIVEN[0], HOME[1]]);
      await on.call("qemu", "release", BOTH);
      assertEquals([now(), on.ledgerFiles()], [HOME, []]);
    });
  }
}

Deno.test("a driver that does not take a device: all that was given goes back", async () => {
  const { on, now } = pciStage(undefined, { balks: new Set(["vfio-pci"]) });
  const refused = await on.call("qemu", "prepare", BOTH);
  assertEquals([refused.code, now(), on.ledgerFiles()], [4, HOME, []]);
  assertStringIncludes(refused.stderr, "binding 0000:01:00.0 to vfio-pci: Device or resource busy");
});

Deno.test("a driver that hangs in the kernel is told as stuck and stays in sight", async () => {
  const hangs = new Set(["nvidia unbind"]);
  const { on } = pciStage(undefined, { hangs });
  const refused = await on.call("qemu", "prepare", BOTH);
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "unbinding 0000:01:00.0 from nvidia hangs in the kernel");
  assertEquals(deviceState(AUDIO, on), HOME[1], "nothing more is begun");
});

Deno.test("a device that had the driver before keeps it, and that is said", async () => {
  const devices = { [GPU]: { driver: "vfio-pci" }, [AUDIO]: { driver: "vfio-pci", override: "vfio-pci" } };
  const { on, now } = pciStage(undefined, { devices });
  const before = now();
  const prepared = await on.call("qemu", "prepare", BOTH);
  assertEquals([prepared.code, now()], [0, before]);
  assertStringIncludes(JSON.stringify(prepared.history), "0000:01:00.0 has the driver vfio-pci already");
  await on.call("qemu", "release", BOTH);
  assertEquals([now(), on.ledgerFiles()], [before, []]);
});

Deno.test("a device without a driver has none afterwards, and a driver_override of others is put back", async () => {
  const devices = { [GPU]: {}, [AUDIO]: { driver: "snd_hda_intel", override: "snd_hda_intel" } };
  const { on, now } = pciStage(undefined, { devices });
  await on.call("qemu", "prepare", BOTH);
  assertEquals(now(), GIVEN);
  await on.call("qemu", "release", BOTH);
  assertEquals(now(), ["none (null)", "snd_hda_intel snd_hda_intel"]);
});

Deno.test("a device that was pulled out counts as given back", async () => {
  const { on, now } = pciStage();
  await on.call("qemu", "prepare", BOTH);
  pullOut(AUDIO, on);
  const released = await on.call("qemu", "release", BOTH);
  assertEquals([released.code, now(), on.ledgerFiles()], [0, [HOME[0], "none gone"], []]);
});

Deno.test("a device that somebody gave to another driver meanwhile is left there, and that is said", async () => {
  const { on, now } = pciStage();
  await on.call("qemu", "prepare", BOTH);
  const link = `/sys/bus/pci/devices/${GPU}/driver`;
  on.nodes.set(link, { kind: "symlink", text: "../../../bus/pci/drivers/nouveau", uid: 0, mode: 0o777 });
  const released = await on.call("qemu", "release", BOTH);
  assertEquals([now(), on.ledgerFiles()], [["nouveau vfio-pci", HOME[1]], []]);
  assertStringIncludes(JSON.stringify(released.history), "was not written by virt-hooks");
});

Deno.test("a device that is still in use is waited for before it is taken back", async () => {
  const { on, now, openers } = pciStage();
  await on.call("qemu", "prepare", BOTH);
  openers.push({ pid: 77, name: "qemu-system-x86", path: "/dev/vfio/1" });
  const released = await on.call("qemu", "release", BOTH);
  assertEquals([released.code, now()], [0, GIVEN]);
  assertStringIncludes(JSON.stringify(released.history), "is still in use: qemu-system-x86 (77) has /dev/vfio/1 open");
  openers.splice(0);
  await on.call("daemon", "start");
  assertEquals([now(), on.ledgerFiles()], [HOME, []]);
});

Deno.test("a driver that was unloaded meanwhile is loaded to give its device back", async () => {
  const { on, now } = pciStage(undefined, {
    programs: {
      [TOOLS.modprobe]: ({ argv }) => {
        assertEquals(argv.slice(1), ["--", "nvidia"]);
        for (const [path, node] of gone) on.nodes.set(path, node);
        return {};
      },
    },
  });
  await on.call("qemu", "prepare", BOTH);
  const gone = [...on.nodes].filter(([path]) => path.startsWith("/sys/bus/pci/drivers/nvidia"));
  for (const [path] of gone) on.nodes.delete(path);
  await on.call("qemu", "release", BOTH);
  assertEquals([now(), on.ledgerFiles()], [HOME, []]);
});

Deno.test("what libvirt manages is left to libvirt", async () => {
  const { on, now } = pciStage(undefined, { drivers: [] });
  const managed = { xml: hostdevXml([GPU, AUDIO], "yes") };
  assertEquals([(await on.call("qemu", "prepare", managed)).stderr, now()], ["", HOME]);
  const link = `/sys/bus/pci/devices/${GPU}/driver`;
  on.nodes.set(link, { kind: "symlink", text: "../../../bus/pci/drivers/vfio-pci", uid: 0, mode: 0o777 });
  assertEquals([(await on.call("qemu", "reconnect", managed)).stderr, now()], ["", ["vfio-pci (null)", HOME[1]]]);
  await on.call("qemu", "release", managed);
  assertEquals([now(), on.ledgerFiles()], [["vfio-pci (null)", HOME[1]], []]);
});
