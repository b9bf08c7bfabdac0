/**
 * Kernel modules over the lives of guests, on a host in memory whose modprobe is a table.
 * @module
 */
import type { MemoryHost, MemoryNode, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

interface Kernel {
  /** Modules that are loaded. */
  readonly loaded?: readonly string[];
  /** Modules that can be loaded, each with the name of its file. */
  readonly known?: Readonly<Record<string, string>>;
  readonly builtin?: readonly string[];
  /** How often `modprobe --remove` finds the module in use. */
  readonly inUse?: number;
  readonly holders?: readonly string[];
  readonly host?: Pick<MemoryHost, "files">;
}

interface Stage {
  readonly on: LedgerHost;
  readonly loaded: () => readonly string[];
  /** What modprobe was asked to do to the kernel. */
  readonly asked: readonly string[];
}

function stage(config: string, kernel: Kernel = {}): Stage {
  const { loaded = [], known = {}, builtin = [], inUse = 0, holders = [] } = kernel;
  const asked: string[] = [];
  const uses = { left: inUse };
  function modprobe(args: readonly string[]): ReturnType<MemoryProgram> {
    const name = args.at(-1) ?? "";
    if (args.includes("--show-depends")) return showDepends(name, { known, builtin });
    asked.push(args.join(" "));
    if (!args.includes("--remove")) load(name, on.nodes, { uses: inUse, holders });
    else if (uses.left > 0) {
      uses.left--;
      return { stderr: `modprobe: FATAL: Module ${name} is in use.\n`, end: { kind: "exited", code: 1 } };
    } else unload(name, on.nodes);
    return {};
  }
  const rules = `[[rule]]\nname = "gpu"\nwhen = { domain = "*" }\nmodules = { ${config} }\n`;
  const on = ledgerHost(rules, {
    files: { "/proc/modules": "", "/sys/module/kernel/parameters/panic": "0\n", ...kernel.host?.files },
    programs: { [TOOLS.modprobe]: ({ argv }) => modprobe(argv.slice(1)) },
  });
  for (const name of loaded) load(name, on.nodes, { uses: inUse, holders });
  return {
    on,
    asked,
    loaded: () =>
      [...on.nodes.keys()].flatMap((path) => /^\/sys\/module\/(.*)\/initstate$/.exec(path)?.[1] ?? []).sort(),
  };
}

function showDepends(
  name: string,
  { known, builtin }: { readonly known: Readonly<Record<string, string>>; readonly builtin: readonly string[] },
): ReturnType<MemoryProgram> {
  if (builtin.includes(name)) return { stdout: `builtin ${name}\n` };
  const file = known[name];
  if (file === undefined) {
    const stderr = `modprobe: FATAL: Module ${name} not found in directory /lib/modules/6.1.0\n`;
    return { stderr, end: { kind: "exited", code: 1 } };
  }
  return {
    stdout: `insmod /lib/modules/6.1.0/kernel/lib/dep.ko.xz \ninsmod /lib/modules/6.1.0/kernel/${file} ids=1,2 \n`,
  };
}

function load(
  name: string,
  nodes: Map<string, MemoryNode>,
  { uses, holders }: { readonly uses: number; readonly holders: readonly string[] },
): void {
  const node = (kind: MemoryNode["kind"], text: string): MemoryNode => ({ kind, text, uid: 0, mode: 0o755 });
  const folder = `/sys/module/${name}`;
  nodes.set(folder, node("directory", ""));
  nodes.set(`${folder}/initstate`, node("file", "live\n"));
  nodes.set(`${folder}/refcnt`, node("file", `${uses > 0 ? holders.length + 1 : 0}\n`));
  nodes.set(`${folder}/holders`, node("directory", ""));
  for (const holder of holders) nodes.set(`${folder}/holders/${holder}`, node("symlink", `../../${holder}`));
}

function unload(name: string, nodes: Map<string, MemoryNode>): void {
  for (const path of [...nodes.keys()]) {
    if (path === `/sys/module/${name}` || path.startsWith(`/sys/module/${name}/`)) nodes.delete(path);
  }
}

const VFIO = { vfio_pci: "drivers/vfio/pci/vfio-pci.ko.xz" };

Deno.test("a module is loaded while guests live, and unloaded after the last", async () => {
  const { on, loaded } = stage('load = ["vfio-pci"]', { known: VFIO });
  assertEquals((await on.call("qemu", "prepare")).stderr, "");
  await on.call("qemu", "prepare", OTHER);
  await on.call("qemu", "release");
  assertEquals(loaded(), ["vfio_pci"]);
  await on.call("qemu", "release", OTHER);
  assertEquals([loaded(), on.ledgerFiles()], [[], []]);
});

Deno.test("a module that was loaded before stays so", async () => {
  const { on, loaded, asked } = stage('load = ["vfio-pci"]', { known: VFIO, loaded: ["vfio_pci"] });
  await on.call("qemu", "prepare");
  await on.call("qemu", "release");
  assertEquals([loaded(), asked, on.ledgerFiles()], [["vfio_pci"], [], []]);
});

Deno.test("a module is unloaded while a guest lives, and comes back", async () => {
  const { on, loaded } = stage('unload = ["nouveau"]', { known: { nouveau: "x/nouveau.ko" }, loaded: ["nouveau"] });
  await on.call("qemu", "prepare");
  assertEquals(loaded(), []);
  await on.call("qemu", "release");
  assertEquals(loaded(), ["nouveau"]);
});

Deno.test("a module that somebody unloaded meanwhile is nothing to put back", async () => {
  const { on, loaded } = stage('load = ["vfio-pci"]', { known: VFIO, loaded: [] });
  await on.call("qemu", "prepare");
  unload("vfio_pci", on.nodes);
  assertEquals((await on.call("qemu", "release")).code, 0);
  assertEquals([loaded(), on.ledgerFiles()], [[], []]);
});

Deno.test("a module that is built in is there already, with or without a folder", async () => {
  for (const files of [{}, { "/sys/module/vfio_pci/parameters/ids": "" }]) {
    const { on, asked } = stage('load = ["vfio-pci"]', { builtin: ["vfio_pci"], host: { files } });
    assertEquals((await on.call("qemu", "prepare")).code, 0);
    await on.call("qemu", "release");
    assertEquals([asked, on.ledgerFiles()], [[], []]);
  }
});

Deno.test("a module that a service just let go is unloaded a moment later", async () => {
  const { on, loaded } = stage('unload = ["nouveau"]', {
    known: { nouveau: "x/nouveau.ko" },
    loaded: ["nouveau"],
    inUse: 3,
  });
  assertEquals((await on.call("qemu", "prepare")).code, 0);
  assertEquals(loaded(), []);
});

Deno.test("a module that is in use stays, and the message says by whom", async () => {
  const { on, loaded } = stage('unload = ["drm"]', {
    known: { drm: "x/drm.ko" },
    loaded: ["drm"],
    inUse: Infinity,
    holders: ["nouveau"],
  });
  const refused = await on.call("qemu", "prepare");
  assertEquals([refused.code, loaded(), on.ledgerFiles()], [4, ["drm"], []]);
  assertStringIncludes(refused.stderr, "drm is in use by the modules nouveau and 1 open device or file");
  assertStringIncludes(refused.stderr, "Module drm is in use.");
});

Deno.test("a module is put back with time for it, also when the call is late", async () => {
  const { on, loaded } = stage('load = ["vfio-pci"]', { known: VFIO });
  await on.call("qemu", "prepare");
  const released = await on.call("qemu", "release", {}, (sys) => {
    sys.clock.elapsedMs = 60_000;
    return sys;
  });
  const removal = released.sys.commands.find(({ argv }) => argv.includes("--remove"));
  assertEquals([loaded(), removal?.timeoutMs], [[], 2000]);
});

Deno.test("a guest that wants a module loaded and one that wants it unloaded: the second is refused", async () => {
  const { on } = stage('load = ["vfio-pci"]', { known: VFIO });
  await on.call("qemu", "prepare");
  const rules = '[[rule]]\nname = "other"\nwhen = { domain = "*" }\nmodules = { unload = ["vfio_pci"] }\n';
  on.write("/etc/virt-hooks/rules.toml", rules);
  const refused = await on.call("qemu", "prepare", OTHER);
  assertEquals(refused.code, 4);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "gpu") wants it loaded, guest "db-1" (rule "other") wants it unloaded',
  );
});

const REFUSED: readonly (Kernel & { readonly config: string; readonly said: string })[] = [
  {
    config: 'load = ["vfoi-pci"]',
    said: "Module vfoi_pci not found in directory /lib/modules/6.1.0",
  },
  {
    config: 'load = ["char-major-10-196"]',
    known: { char_major_10_196: "drivers/vfio/vfio.ko" },
    said: "char_major_10_196 is another name of the module vfio",
  },
  {
    config: 'unload = ["kernel"]',
    said: "kernel is built into the kernel and cannot be unloaded",
  },
];
for (const { config, said, ...kernel } of REFUSED) {
  Deno.test(`modules refused before: ${said}`, async () => {
    const { on, asked } = stage(config, kernel);
    const refused = await on.call("qemu", "prepare");
    assertEquals([refused.code, asked], [4, []]);
    assertStringIncludes(refused.stderr, said);
  });
}

Deno.test("a kernel that loads no modules says so, and so does a host without modprobe", async () => {
  for (
    const { missing, said } of [
      { missing: "/proc/modules", said: "this kernel loads no modules, and vfio_pci is not built into it" },
      { missing: TOOLS.modprobe, said: `there is no ${TOOLS.modprobe} on this host` },
    ]
  ) {
    const { on } = stage('load = ["vfio-pci"]', { known: VFIO });
    on.nodes.delete(missing);
    assertStringIncludes((await on.call("qemu", "prepare")).stderr, said);
  }
});

Deno.test("a module that this host does not have needs no unloading: that is noted", async () => {
  const { on } = stage('unload = ["nouveau"]');
  const prepared = await on.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.stderr], [0, ""]);
  assertStringIncludes(JSON.stringify(prepared.history), "there is no module nouveau to unload");
});
