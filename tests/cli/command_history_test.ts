/** What administrators' commands leave in the history, and how it is found again. */
import { HISTORY_FILE } from "../../lib/app/product.ts";
import { admin } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { fakeFilter } from "../support/fake_filter.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const MAC = "52:54:00:00:00:01";
const NETWORK = `<networkstatus><network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><host mac='${MAC}' ip='192.168.122.11'/></dhcp></ip>
</network></networkstatus>`;
const INTERFACE =
  `<devices><interface type='network'><mac address='${MAC}'/><source network='default'/></interface></devices>\n`;
const RULES_FILE = "/etc/virt-hooks/rules.toml";

function rules(port: number): string {
  return `[[rule]]\nname = "web"\nwhen = { domain = "*" }\nforward = { host_port = ${port}, guest_port = 80 }\n`;
}

async function running(): Promise<LedgerHost> {
  const files = { "/run/libvirt/network/default.xml": NETWORK, "/run/libvirt/qemu/x": "" };
  const host = ledgerHost(rules(8080), { programs: fakeFilter().programs, files });
  await host.call("qemu", "prepare", { xml: INTERFACE });
  const domain = `<domain type='kvm'><name>web-1</name><uuid>${UUID}</uuid>${INTERFACE}</domain>`;
  host.write("/run/libvirt/qemu/web-1.xml", `<domstatus>${domain}</domstatus>`);
  await host.call("qemu", "started", { xml: INTERFACE });
  return host;
}

function entries(host: LedgerHost): readonly Record<string, unknown>[] {
  return (host.text(HISTORY_FILE) ?? "").trimEnd().split("\n").map((line) => JSON.parse(line));
}

async function shown(host: LedgerHost, ...args: readonly string[]): Promise<readonly string[]> {
  const { lines } = await admin(host, ["history", ...args]);
  return lines.map((line) => line.replace(/^\S+ \S+ +/, "").replace(/\([\d.]+ ms/, "("));
}

const LIVES = '    note: the guest has the address 192.168.122.11, DHCP reservation on network "default"';
const OPENED = "web-1 opened tcp 8080 → 192.168.122.11:80 (reservation)";

Deno.test("reconcile --rules leaves a line with what it closed and opened, for which guest", async () => {
  const host = await running();
  host.write(RULES_FILE, rules(8082));
  const foretold = await admin(host, ["reconcile", "--rules", "--dry-run"]);
  assertEquals(foretold.lines, [
    "guest web-1 (qemu):",
    '  - tcp 8080 → :80  (rule "web")',
    '  + tcp 8082 → :80  (rule "web")',
    '  the guest has the address 192.168.122.11, DHCP reservation on network "default"',
    "1 running guest would change, 0 would not",
    "Nothing was done: this was a dry run",
  ]);
  const count = entries(host).length;
  await admin(host, ["reconcile", "--rules"]);
  assertEquals(entries(host).length, count + 1);
  const { driver, object, operation, by, guests, outcome } = entries(host).at(-1) ?? {};
  assertEquals({ driver, object, operation, by, guests, outcome }, {
    driver: "virt-hooks",
    object: "-",
    operation: "reconcile --rules",
    by: { uid: 0 },
    guests: ["web-1"],
    outcome: "done",
  });
  const tail = (await shown(host, "--object", "web-1")).slice(-4);
  assertEquals(tail, [
    'INFO      virt-hooks reconcile --rules by uid 0: done  (, guests "web-1")',
    "    web-1 closed tcp 8080 → 192.168.122.11:80",
    "    web-1 opened tcp 8082 → 192.168.122.11:80 (reservation)",
    LIVES,
  ]);
});

Deno.test("reconcile --rules says either what it changed or that there was nothing to do", async () => {
  const host = await running();
  assertEquals((await admin(host, ["reconcile", "--rules"])).lines, ["Nothing to do"]);
  assertEquals(entries(host).at(-1)?.["notes"], undefined);
  assertEquals((await admin(host, ["reconcile", "--rules", "--dry-run"])).lines, [
    "0 running guests would change, 1 would not",
    "Nothing was done: this was a dry run",
  ]);
  host.write(RULES_FILE, rules(8082));
  assertEquals((await admin(host, ["reconcile", "--rules"])).lines, [
    "guest web-1 (qemu):",
    "  web-1 closed tcp 8080 → 192.168.122.11:80",
    "  web-1 opened tcp 8082 → 192.168.122.11:80 (reservation)",
    LIVES.trim().padStart(LIVES.trim().length + 2),
  ]);
});

Deno.test("history --port finds who opened and closed a port", async () => {
  const host = await running();
  await admin(host, ["disable"]);
  await host.call("qemu", "stopped", { xml: INTERFACE });
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  await admin(host, ["enable"]);
  assertEquals(await shown(host, "--port", "8080"), [
    'INFO      qemu web-1 started: done  (, called by libvirtd (1000), rules "web")',
    `    ${OPENED}`,
    LIVES,
    'INFO      virt-hooks enable by uid 0: done  (, guests "web-1")',
    "    web-1 closed tcp 8080 → 192.168.122.11:80",
  ]);
  assertEquals(await shown(host, "--port", "8081"), [""]);
  assertEquals((await shown(host, "--object", "web-*")).filter((line) => line.includes(" enable ")).length, 1);
});

Deno.test("release --resource leaves a line that the port and its guest find", async () => {
  const host = await running();
  assertEquals((await admin(host, ["release", "--resource", "nft", "--yes"])).code, 0);
  const line = [
    'INFO      virt-hooks release --resource by uid 0: done  (, guests "web-1")',
    "    web-1 closed tcp 8080 → 192.168.122.11:80",
  ];
  assertEquals((await shown(host, "--port", "8080")).slice(-2), line);
  assertEquals((await shown(host, "--object", "web-1")).slice(-2), line);
});

Deno.test("history says who called, and which guest a port is of", async () => {
  const host = ledgerHost("", { files: { "/run/libvirt/network/x": "" } });
  host.write(
    RULES_FILE,
    '[[rule]]\nname = "port"\nwhile = "port"\nwhen = { network = "*" }\nsysctl = { "vm.swappiness" = 1 }\n',
  );
  host.write("/proc/sys/vm/swappiness", "60\n");
  const port =
    `<networkport><uuid>22222222-2222-4333-8444-555555555555</uuid><owner><name>web-1</name><uuid>${UUID}</uuid></owner></networkport>`;
  const { history } = await host.call("network", "port-created", { name: "default", xml: port });
  assertEquals([history["object"], history["guests"], history["daemon"]], [
    "default",
    ["web-1"],
    { pid: 1000, name: "libvirtd" },
  ]);
  assertEquals(
    (await shown(host, "--object", "web-1"))[0],
    'INFO      network default port-created: done  (, called by libvirtd (1000), guests "web-1", rules "port")',
  );
});

Deno.test("a reload of a daemon names the daemon, also where nothing is held", async () => {
  const { history } = await ledgerHost(
    '[[rule]]\nname = "calm"\nwhen = { domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n',
  )
    .call("daemon", "reload");
  assertEquals(history["daemon"], { pid: 1000, name: "libvirtd" });
});

const USERS = [
  {
    name: "sudo",
    files: { environ: "SUDO_USER=alice\0PATH=/bin\0" },
    by: { uid: 0, sudoUser: "alice" },
    text: "alice (uid 0)",
  },
  {
    name: "a unit",
    files: { cgroup: "0::/system.slice/system-virt\\x2dhooks.slice/virt-hooks-firewall@nftables.service\n" },
    by: { uid: 0, unit: "virt-hooks-firewall@nftables.service" },
    text: "virt-hooks-firewall@nftables.service",
  },
  {
    name: "a session",
    files: { cgroup: "0::/user.slice/user-0.slice/session-3.scope\n" },
    by: { uid: 0 },
    text: "uid 0",
  },
];

for (const { name, files, by, text } of USERS) {
  Deno.test(`a command tells that ${name} ran it`, async () => {
    const host = await running();
    // Whatever number the command's process has.
    for (let pid = 20_000; pid < 20_020; pid++) {
      for (const [file, content] of Object.entries(files)) host.write(`/proc/${pid}/${file}`, content);
    }
    await admin(host, ["reconcile"]);
    const { message, by: told } = entries(host).at(-1) ?? {};
    assertEquals([message, told], [`virt-hooks reconcile by ${text}: done`, by]);
  });
}

Deno.test("history --port wants a number", async () => {
  const { code, stderr } = await admin(await running(), ["history", "--port", "http"]);
  assertEquals([code, stderr.split("\n")[0]], [
    2,
    'virt-hooks: Cannot read --port: "http" is not the number of a port',
  ]);
});

Deno.test("history shows the places that an edit changed", async () => {
  const entry = {
    ...{
      level: "INFO",
      datetime: "2026-01-02T03:04:05.678Z",
      message: "qemu web-1 migrate: done",
      object: "web-1",
      durationMs: 1,
    },
    actions: [{
      action: "edit",
      changes: [{ line: 35, from: "/srv/a/x", to: "/srv/b/x" }, { line: 40, from: "***", to: "***" }],
    }],
  };
  const host = ledgerHost("", { files: { [HISTORY_FILE]: `${JSON.stringify(entry)}\n` } });
  assertEquals((await admin(host, ["history"])).lines.slice(1), [
    "    line 35: /srv/a/x → /srv/b/x",
    "    line 40: *** → ***",
  ]);
});
