/**
 * Text consoles on displays that guests are given, on a host in memory.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";
import { consoleFiles, consoleState, FRAMEBUFFER_REACTIONS, TERMINAL } from "../support/console_tree.ts";
import { deviceState, pciTree, type TreeDevice } from "../support/pci_tree.ts";

const [GPU, SECOND] = ["0000:01:00.0", "0000:02:00.0"] as const;
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };
function stage(
  devices: Readonly<Record<string, TreeDevice>>,
  options: { readonly holders?: string; readonly firmware?: boolean } = {},
): {
  readonly on: LedgerHost;
  /** Whether the terminal and the firmware's framebuffer are switched on; `undefined`: not there. */
  readonly now: () => readonly (boolean | undefined)[];
} {
  const { holders = "stop", firmware = true } = options;
  const files = consoleFiles(firmware);
  const rules = Object.entries({ "web-1": [GPU], "db-1": [SECOND] }).map(([name, addresses]) =>
    `[[rule]]\nname = "${name}"\nwhen = { domain = "${name}" }\n` +
    `pci = { devices = ${JSON.stringify(addresses)}, holders = "${holders}" }\n`
  ).join("");
  const tree = pciTree(devices, { files });
  const on = ledgerHost(rules, { ...tree, reactions: { ...tree.reactions, ...FRAMEBUFFER_REACTIONS } });
  return { on, now: () => consoleState(on.nodes, firmware) };
}

const DISPLAY: TreeDevice = { driver: "nvidia", kind: "030000", bootVga: true };

Deno.test("the display that the firmware shows on: its framebuffer and the terminal go and come back", async () => {
  const { on, now } = stage({ [GPU]: DISPLAY });
  const prepared = await on.call("qemu", "prepare");
  assertEquals([prepared.stderr, now(), deviceState(GPU, on)], ["", [undefined, false], "vfio-pci vfio-pci"]);
  assertEquals([(await on.call("qemu", "reconnect")).stderr, now()], ["", [undefined, false]]);
  const released = await on.call("qemu", "release");
  assertEquals([released.stderr, now(), deviceState(GPU, on), on.ledgerFiles()], [
    "",
    [true, true],
    "nvidia (null)",
    [],
  ]);
});

Deno.test("a framebuffer that is gone for good counts as put back", async () => {
  const { on, now } = stage({ [GPU]: DISPLAY });
  await on.call("qemu", "prepare");
  on.nodes.delete("/sys/bus/platform/devices/efi-framebuffer.0");
  const released = await on.call("qemu", "release");
  assertEquals([released.history["outcome"], now(), on.ledgerFiles()], ["done", [undefined, false], []]);
});

Deno.test("a terminal comes back with the last of two guests", async () => {
  const { on, now } = stage({
    [GPU]: { driver: "amdgpu", kind: "030000", graphics: true },
    [SECOND]: { driver: "amdgpu", kind: "030000", graphics: true, group: 2 },
  }, { firmware: false });
  await on.call("qemu", "prepare");
  assertEquals(now(), [false, undefined]);
  await on.call("qemu", "prepare", OTHER);
  await on.call("qemu", "release");
  assertEquals(now(), [false, undefined], "the other guest has a display still");
  await on.call("qemu", "release", OTHER);
  assertEquals([now(), on.ledgerFiles()], [[true, undefined], []]);
});

Deno.test("a device that nothing shows on leaves the consoles alone", async () => {
  const { on, now } = stage({ [GPU]: { driver: "e1000" } });
  await on.call("qemu", "prepare");
  assertEquals(now(), [true, true]);
});

Deno.test("a terminal that was off before stays off", async () => {
  const { on, now } = stage({ [GPU]: { driver: "amdgpu", kind: "030000", graphics: true } }, { firmware: false });
  on.write(`${TERMINAL}/bind`, "0\n");
  await on.call("qemu", "prepare");
  await on.call("qemu", "release");
  assertEquals([now(), on.ledgerFiles()], [[false, undefined], []]);
});

for (const holders of ["fail", "wait"]) {
  Deno.test(`a console is in the way where the rule says holders = "${holders}"`, async () => {
    const { on, now } = stage({ [GPU]: DISPLAY }, { holders });
    const refused = await on.call("qemu", "prepare");
    assertEquals([refused.code, now(), deviceState(GPU, on)], [4, [true, true], "nvidia (null)"]);
    assertStringIncludes(refused.stderr, "the console vtcon1 shows on 0000:01:00.0");
  });
}
