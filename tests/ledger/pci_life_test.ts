/**
 * PCI devices over the lives of guests, on a host in memory whose drivers react as the kernel's do.
 * @module
 */
import type { Opener } from "../../lib/sys/kernel.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { dyingSys } from "../support/dying_sys.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";
import { deviceState, hostdevXml, pciTree, pullOut, type TreeDevice, type TreeOptions } from "../support/pci_tree.ts";

const [GPU, AUDIO, DISK, NIC] = ["0000:01:00.0", "0000:01:00.1", "0000:02:00.0", "0000:03:00.0"] as const;

const CARD: Readonly<Record<string, TreeDevice>> = {
  [GPU]: { driver: "nvidia", known: ["nouveau", "nvidia"], kind: "030000", nodes: { "char/226:0": "dri/card0" } },
  [AUDIO]: { driver: "snd_hda_intel", kind: "040300", nodes: { "char/116:2": "snd/controlC0" } },
  "0000:00:01.0": { driver: "pcieport", kind: "060400" },
};
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555", xml: hostdevXml([GPU, AUDIO]) };
const BOTH = { xml: hostdevXml([GPU, AUDIO]) };
const GIVEN = ["vfio-pci vfio-pci", "vfio-pci vfio-pci"] as const;
const HOME = ["nvidia (null)", "snd_hda_intel (null)"] as const;

interface Stage {
  readonly on: LedgerHost;
  readonly now: () => readonly string[];
  /** Who has what open; a test moves it. */
  readonly openers: Opener[];
  readonly signals: string[];
}

function stage(
  config = 'devices = "hostdev"',
  options: TreeOptions & { readonly devices?: typeof CARD; readonly actions?: string; readonly deaf?: boolean } = {},
): Stage {
  const { devices = CARD, actions = "", deaf = false } = options;
  const openers: Opener[] = [...options.openers ?? []];
  const signals: string[] = [];
  const kill = ({ argv: [, signal = "", ...pids] }: { readonly argv: readonly string[] }): Record<never, never> => {
    signals.push(`${signal} ${pids.join(" ")}`);
    const isHeard = signal === "-KILL" || !deaf;
    const left = openers.filter(({ pid }) => !isHeard || !pids.includes(String(pid)));
    openers.splice(0, openers.length, ...left);
    return {};
  };
  const rules = `[[rule]]\nname = "gaming"\nwhen = { domain = "*" }\npci = { ${config} }\n${actions}`;
  const programs = { [TOOLS.kill]: kill, ...options.programs };
  const on = ledgerHost(rules, { ...pciTree(devices, { ...options, programs }), openers });
  return { on, openers, signals, now: () => [GPU, AUDIO].map((address) => deviceState(address, on)) };
}

Deno.test("a card of two functions goes to a guest and comes back", async () => {
  const { on, now } = stage();
  const prepared = await on.call("qemu", "prepare", BOTH);
  assertEquals([prepared.code, prepared.stderr, now()], [0, "", GIVEN]);
  assertMatch(JSON.stringify(prepared.history), /"from":"with nvidia","to":"with vfio-pci"/);
  assertEquals([(await on.call("qemu", "started", BOTH)).code, now()], [0, GIVEN]);
  assertEquals([(await on.call("qemu", "release", BOTH)).code, now(), on.ledgerFiles()], [0, HOME, []]);
});

Deno.test("a running guest's own program does not stand in its way", async () => {
  const { on, now, openers } = stage();
  await on.call("qemu", "prepare", BOTH);
  openers.push({ pid: 77, name: "qemu-system-x86", path: "/dev/vfio/1" });
  on.nodes.set("/proc/77/cmdline", { kind: "file", text: `qemu\0-uuid\0${UUID}\0`, uid: 0, mode: 0o444 });
  for (const operation of ["started", "reconnect", "prepare"]) {
    assertEquals([(await on.call("qemu", operation, BOTH)).stderr, now()], ["", GIVEN]);
  }
});

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
    const { on, now, signals } = stage(config, { ...options, devices });
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
      const { on } = stage(`devices = ["${DISK}"], holders = "${holders}"`, { devices, files: { [path]: text } });
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
    const { on } = stage(`devices = ["${NIC}"]`, { devices, files });
    const { code, stderr } = await on.call("qemu", "prepare");
    assertEquals([code, deviceState(NIC, on)], said === undefined ? [0, "vfio-pci vfio-pci"] : [4, "e1000 (null)"]);
    assertStringIncludes(stderr, said ?? "");
  });
}

Deno.test("programs are asked to end, those that will not are ended, before the first device is touched", async () => {
  for (const deaf of [false, true]) {
    const { on, now, signals } = stage('devices = "hostdev", holders = "stop", timeout = "4s"', {
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
  const { on, now, signals } = stage('devices = "hostdev", holders = "stop", timeout = "2s"', {
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
    const { on, openers } = stage('devices = "hostdev", holders = "wait", timeout = "5s"', {
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

Deno.test("two guests, one device: the second is refused and both are named", async () => {
  const { on, now } = stage();
  await on.call("qemu", "prepare", BOTH);
  const refused = await on.call("qemu", "prepare", OTHER);
  assertEquals([refused.code, now()], [4, GIVEN]);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "gaming") has it and guest "db-1" (rule "gaming") wants it: a device goes to one guest',
  );
  await on.call("qemu", "release", BOTH);
  assertEquals([(await on.call("qemu", "prepare", OTHER)).code, now()], [0, GIVEN]);
});

Deno.test("two rules of one guest may ask for the same device, with the same driver", async () => {
  const second = (driver: string): string =>
    `[[rule]]\nname = "again"\nwhen = { domain = "*" }\npci = { devices = ["${GPU}", "${AUDIO}"], driver = "${driver}" }\n`;
  const same = stage(undefined, { actions: second("vfio-pci") });
  assertEquals([(await same.on.call("qemu", "prepare", BOTH)).stderr, same.now()], ["", GIVEN]);
  await same.on.call("qemu", "release", BOTH);
  assertEquals([same.now(), same.on.ledgerFiles()], [HOME, []]);
  const other = stage(undefined, { actions: second("pci-stub"), drivers: ["vfio-pci", "pci-stub"] });
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
      const { on, now } = stage();
      const life = { isOver: false };
      await on.call("qemu", "prepare", BOTH, (sys) =>
        dyingSys({
          ...sys,
          kernel: {
            ...sys.kernel,
            write: async (path, text, timeoutMs) => {
              const end = await sys.kernel.write(path, text, timeoutMs);
              life.isOver ||= path === at;
              return end;
            },
          },
        }, () => life.isOver));
      assertEquals(now(), [between, HOME[1]]);
      await on.call("qemu", after, BOTH);
      assertEquals(now(), after === "release" ? HOME : after === "prepare" ? GIVEN : [GIVEN[0], HOME[1]]);
      await on.call("qemu", "release", BOTH);
      assertEquals([now(), on.ledgerFiles()], [HOME, []]);
    });
  }
}

Deno.test("a driver that does not take a device: all that was given goes back", async () => {
  const { on, now } = stage(undefined, { balks: new Set(["vfio-pci"]) });
  const refused = await on.call("qemu", "prepare", BOTH);
  assertEquals([refused.code, now(), on.ledgerFiles()], [4, HOME, []]);
  assertStringIncludes(refused.stderr, "giving 0000:01:00.0 to vfio-pci: Device or resource busy");
});

Deno.test("a driver that hangs in the kernel is told as stuck and stays in sight", async () => {
  const hangs = new Set(["nvidia unbind"]);
  const { on } = stage(undefined, { hangs });
  const refused = await on.call("qemu", "prepare", BOTH);
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "taking 0000:01:00.0 from nvidia hangs in the kernel");
  assertEquals(deviceState(AUDIO, on), HOME[1], "nothing more is begun");
});

Deno.test("a device that had the driver before keeps it, and that is said", async () => {
  const devices = { [GPU]: { driver: "vfio-pci" }, [AUDIO]: { driver: "vfio-pci", override: "vfio-pci" } };
  const { on, now } = stage(undefined, { devices });
  const before = now();
  const prepared = await on.call("qemu", "prepare", BOTH);
  assertEquals([prepared.code, now()], [0, before]);
  assertStringIncludes(JSON.stringify(prepared.history), "0000:01:00.0 has the driver vfio-pci already");
  await on.call("qemu", "release", BOTH);
  assertEquals([now(), on.ledgerFiles()], [before, []]);
});

Deno.test("a device without a driver has none afterwards, and a driver_override of others is put back", async () => {
  const devices = { [GPU]: {}, [AUDIO]: { driver: "snd_hda_intel", override: "snd_hda_intel" } };
  const { on, now } = stage(undefined, { devices });
  await on.call("qemu", "prepare", BOTH);
  assertEquals(now(), GIVEN);
  await on.call("qemu", "release", BOTH);
  assertEquals(now(), ["none (null)", "snd_hda_intel snd_hda_intel"]);
});

Deno.test("a device that was pulled out counts as given back", async () => {
  const { on, now } = stage();
  await on.call("qemu", "prepare", BOTH);
  pullOut(AUDIO, on);
  const released = await on.call("qemu", "release", BOTH);
  assertEquals([released.code, now(), on.ledgerFiles()], [0, [HOME[0], "none gone"], []]);
});

Deno.test("a device that somebody gave to another driver meanwhile is left there, and that is said", async () => {
  const { on, now } = stage();
  await on.call("qemu", "prepare", BOTH);
  const link = `/sys/bus/pci/devices/${GPU}/driver`;
  on.nodes.set(link, { kind: "symlink", text: "../../../bus/pci/drivers/nouveau", uid: 0, mode: 0o777 });
  const released = await on.call("qemu", "release", BOTH);
  assertEquals([now(), on.ledgerFiles()], [["nouveau vfio-pci", HOME[1]], []]);
  assertStringIncludes(JSON.stringify(released.history), "which is not what virt-hooks wrote");
});

Deno.test("a device that is still in use is waited for before it is taken back", async () => {
  const { on, now, openers } = stage();
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
  const { on, now } = stage(undefined, {
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
  const { on, now } = stage(undefined, { drivers: [] });
  const managed = { xml: hostdevXml([GPU, AUDIO], "yes") };
  assertEquals([(await on.call("qemu", "prepare", managed)).stderr, now()], ["", HOME]);
  const link = `/sys/bus/pci/devices/${GPU}/driver`;
  on.nodes.set(link, { kind: "symlink", text: "../../../bus/pci/drivers/vfio-pci", uid: 0, mode: 0o777 });
  assertEquals([(await on.call("qemu", "reconnect", managed)).stderr, now()], ["", ["vfio-pci (null)", HOME[1]]]);
  await on.call("qemu", "release", managed);
  assertEquals([now(), on.ledgerFiles()], [["vfio-pci (null)", HOME[1]], []]);
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
    const { on, now, openers } = stage(undefined, {
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
    const { on } = stage(`devices = ["${DISK}"]`, {
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
