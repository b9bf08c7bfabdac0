/**
 * Who uses a device that a guest is to be given: refused, waited for, ended; before the first device is touched.
 * @module
 */
import { TOOLS } from "../../lib/sys/tools.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { AUDIO, BOTH, CARD, DISK, GIVEN, GPU, HOME, NIC, pciStage } from "../support/pci_stage.ts";
import { deviceState, hostdevXml, type TreeOptions } from "../support/pci_tree.ts";

const REFUSED: readonly {
  readonly name: string;
  readonly config?: string;
  readonly devices?: typeof CARD;
  readonly xml?: string;
  readonly options?: TreeOptions;
  readonly said: string;
}[] = [
  { name: "no such device", xml: hostdevXml([NIC]), said: "there is no PCI device 0000:03:00.0" },
  {
    name: "half a group",
    xml: hostdevXml([GPU]),
    said:
      "0000:01:00.0 is in IOMMU group 1 with 0000:01:00.1 (snd_hda_intel): a guest gets all devices of a group or none",
  },
  {
    name: "no IOMMU",
    devices: { [GPU]: { driver: "nvidia", group: null }, [AUDIO]: { driver: "snd_hda_intel", group: null } },
    said: "0000:01:00.0 is in no IOMMU group, so no guest can be given it",
  },
  { name: "no driver", options: { drivers: [] }, said: "the driver vfio-pci is not loaded" },
  {
    name: "a program at a device that is not the first",
    options: { openers: [{ pid: 812, name: "pipewire", path: "/dev/snd/controlC0" }] },
    said: "0000:01:00.1 is in use: pipewire (812) has /dev/snd/controlC0 open",
  },
  {
    name: "a program at NVIDIA's own nodes",
    options: {
      openers: [{ pid: 813, name: "nvidia-persiste", path: "/dev/nvidia0" }],
      files: { [`/proc/driver/nvidia/gpus/${GPU}/information`]: "Model: X\nDevice Minor: \t 0\n" },
    },
    said: "nvidia-persiste (813) has /dev/nvidia0 open",
  },
  {
    name: "a device that libvirt would take while it is in use",
    xml: hostdevXml([GPU, AUDIO], "yes"),
    options: { openers: [{ pid: 812, name: "Xorg", path: "/dev/dri/card0" }] },
    said: "Xorg (812) has /dev/dri/card0 open",
  },
  {
    name: "another guest's device, whatever the rule says",
    config: 'devices = "hostdev", holders = "stop"',
    devices: { [GPU]: { driver: "vfio-pci" }, [AUDIO]: { driver: "vfio-pci" } },
    options: { openers: [{ pid: 77, name: "qemu-system-x86", path: "/dev/vfio/1" }] },
    said: "qemu-system-x86 (77) has /dev/vfio/1 open",
  },
];
for (const { name, config, devices = CARD, xml = BOTH.xml, options, said } of REFUSED) {
  Deno.test(`pci is refused before anything is touched: ${name}`, async () => {
    const { on, now, signals } = pciStage(config, { ...options, devices });
    const before = now();
    const refused = await on.call("qemu", "prepare", { xml });
    assertEquals([refused.code, now(), on.ledgerFiles(), signals], [4, before, [], []]);
    assertStringIncludes(refused.stderr, said);
  });
}

const STORAGE = [
  { file: ["/proc/self/mountinfo", "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n"], said: "is mounted on /srv" },
  { file: ["/proc/self/mountinfo", "25 1 0:42 / /srv rw - btrfs /dev/nvme0n1p1 rw\n"], said: "is mounted on /srv" },
  { file: ["/proc/swaps", "Filename Type\n/dev/nvme0n1p1 partition 1 0 -2\n"], said: "is swap" },
  { file: ["/sys/dev/block/259:1/holders/dm-0/dev", "253:0\n"], said: "is a part of dm-0" },
] as const;
for (const { file: [path, text], said } of STORAGE) {
  Deno.test(`a disk that ${said} is never taken, also where users are ended`, async () => {
    const devices = { [DISK]: { driver: "nvme", kind: "010802", nodes: { "block/259:1": "nvme0n1p1" } } };
    for (const holders of ["fail", "stop"]) {
      const { on } = pciStage(`devices = ["${DISK}"], holders = "${holders}"`, { devices, files: { [path]: text } });
      const refused = await on.call("qemu", "prepare");
      assertEquals([refused.code, deviceState(DISK, on)], [4, "nvme (null)"]);
      assertStringIncludes(refused.stderr, `/dev/nvme0n1p1 ${said}`);
    }
  });
}

const NETWORK = [
  { files: { "/proc/net/route": "Iface\tDestination\neth1\t000200C0\n" }, said: "eth1 carries traffic of the host" },
  {
    files: { "/proc/net/if_inet6": "20010db8000000000000000000000001 02 40 00 80     eth1\n" },
    said: "eth1 carries traffic of the host",
  },
  { files: { "/proc/net/if_inet6": "fe800000000000000000000000000001 02 40 20 80     eth1\n" }, said: undefined },
  { files: { "/sys/class/net/eth1/master": { kind: "symlink", text: "../br0" } }, said: "eth1 is a part of br0" },
  { files: { "/proc/net/route": "Iface\tDestination\neth10\t000200C0\n" }, said: undefined },
] as const;
for (const { files, said } of NETWORK) {
  Deno.test(`a network card of which ${said ?? "nothing is used"}`, async () => {
    const devices = { [NIC]: { driver: "e1000", net: "eth1" } };
    const { on } = pciStage(`devices = ["${NIC}"]`, { devices, files });
    const { code, stderr } = await on.call("qemu", "prepare");
    assertEquals([code, deviceState(NIC, on)], said === undefined ? [0, "vfio-pci vfio-pci"] : [4, "e1000 (null)"]);
    assertStringIncludes(stderr, said ?? "");
  });
}

Deno.test("programs are asked to end, those that will not are ended, before the first device is touched", async () => {
  for (const deaf of [false, true]) {
    const { on, now, signals } = pciStage('devices = "hostdev", holders = "stop", timeout = "4s"', {
      deaf,
      openers: [
        { pid: 812, name: "Xorg", path: "/dev/dri/card0" },
        { pid: 812, name: "Xorg", path: "/dev/snd/controlC0" },
        { pid: 813, name: "pipewire", path: "/dev/snd/controlC0" },
      ],
    });
    assertEquals([(await on.call("qemu", "prepare", BOTH)).code, now()], [0, GIVEN]);
    assertEquals(signals, deaf ? ["-TERM 812 813", "-KILL 812 813"] : ["-TERM 812 813"]);
  }
});

Deno.test("what the host lives by is waited for and never ended", async () => {
  const { on, now, signals } = pciStage('devices = "hostdev", holders = "stop", timeout = "2s"', {
    openers: [
      { pid: 600, name: "systemd-logind", path: "/dev/dri/card0" },
      { pid: 1000, name: "daemon", path: "/dev/dri/card0" },
      { pid: 1, name: "init", path: "/dev/dri/card0" },
      { pid: 900, name: "qemu-system-x86", path: "/dev/dri/card0" },
    ],
  });
  const refused = await on.call("qemu", "prepare", BOTH);
  assertEquals([refused.code, now(), signals, on.ledgerFiles()], [4, HOME, [], []]);
  assertStringIncludes(refused.stderr, "systemd-logind (600) has /dev/dri/card0 open");
});

Deno.test("users are waited for, and not for ever", async () => {
  for (const { leavesAtMs, code } of [{ leavesAtMs: 3_000, code: 0 }, { leavesAtMs: 30_000, code: 4 }]) {
    const { on, openers } = pciStage('devices = "hostdev", holders = "wait", timeout = "5s"', {
      openers: [{ pid: 812, name: "Xorg", path: "/dev/dri/card0" }],
    });
    const prepared = await on.call("qemu", "prepare", BOTH, (sys) => ({
      ...sys,
      sleep: async (durationMs) => {
        await sys.sleep(durationMs);
        if (sys.elapsedMs() > leavesAtMs) openers.splice(0);
      },
    }));
    assertEquals([prepared.code, prepared.sys.clock.elapsedMs < 7_000], [code, true]);
  }
});

const SYSTEMD = { files: { "/run/systemd/system/x": "" } };

/** A systemd with one unit, and what stopping it does. */
function oneUnit(unit: string, stop: () => void): NonNullable<TreeOptions["programs"]> {
  let active = "active";
  return {
    [TOOLS.systemctl]: ({ argv }) => {
      if (argv.includes("stop")) {
        active = "inactive";
        stop();
      }
      return { stdout: `Id=${unit}\nLoadState=loaded\nActiveState=${active}\nSubState=dead\nJob=\n\n` };
    },
  };
}

Deno.test("whom a service that is stopped takes along is looked for after it was stopped", async () => {
  for (const isHeld of [false, true]) {
    const { on, now, openers } = pciStage(undefined, {
      ...SYSTEMD,
      actions: 'services = { stop = ["display-manager"] }\n',
      openers: [{ pid: 812, name: "Xorg", path: "/dev/dri/card0" }],
      programs: oneUnit("display-manager.service", () => isHeld ? undefined : openers.splice(0)),
    });
    const prepared = await on.call("qemu", "prepare", BOTH);
    assertEquals([prepared.code, now()], isHeld ? [4, HOME] : [0, GIVEN]);
    assertStringIncludes(prepared.stderr, isHeld ? "Xorg (812) has /dev/dri/card0 open" : "");
  }
});

Deno.test("what is mounted is refused before a service is stopped, unless that is its mount", async () => {
  const devices = { [DISK]: { driver: "nvme", kind: "010802", nodes: { "block/259:1": "nvme0n1p1" } } };
  for (const { unit, code } of [{ unit: "display-manager.service", code: 4 }, { unit: "srv.mount", code: 0 }]) {
    let stopped = 0;
    const { on } = pciStage(`devices = ["${DISK}"]`, {
      devices,
      actions: `services = { stop = ["${unit}"] }\n`,
      programs: oneUnit(unit, () => {
        stopped++;
        on.write("/proc/self/mountinfo", "");
      }),
      files: { ...SYSTEMD.files, "/proc/self/mountinfo": "25 1 259:1 / /srv rw - ext4 /dev/nvme0n1p1 rw\n" },
    });
    assertEquals([(await on.call("qemu", "prepare")).code, stopped], [code, code === 0 ? 1 : 0]);
  }
});
