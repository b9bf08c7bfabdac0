/**
 * Checks of the unit that install.sh writes: what a real restart of nftables.service empties is there again.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import type { Machine } from "./machine.ts";
import { until } from "../e2e/until.ts";

const UNIT = "virt-hooks-firewall@nftables.service";
const PREFIX = "/opt/virt hooks";
const OURS = "nft list table inet virt_hooks";

async function installs(machine: Machine): Promise<void> {
  await machine.must("mkdir -p /etc/systemd/system");
  // A first boot enables it, and whatever starts then starts it as well.
  await machine.must("systemctl disable --now nftables.service");
  const told = await machine.must(`sh /archive/install.sh --drivers network --prefix '${PREFIX}'`);
  // No firewall runs, and no rule forwards anything: nobody is told to start what would do nothing.
  assert(!told.includes("systemctl"), told);
  await machine.must("systemctl daemon-reload");
  const { stdout } = await machine.run(`systemctl is-active ${UNIT}; systemctl is-enabled ${UNIT}`);
  assertEquals(stdout, "inactive\nenabled\n");
  assertEquals(await machine.must(`systemd-analyze verify ${UNIT} 2>&1 | grep -F ${UNIT}; :`), "");
}

/** `/etc` is empty at first, and Debian's names for these lead through it. */
async function nameIptables(machine: Machine): Promise<void> {
  await machine.must("mkdir -p /etc/alternatives");
  for (const name of ["iptables", "ip6tables"]) {
    await machine.must(`[ ! -x /usr/sbin/${name}-nft ] || ln -s /usr/sbin/${name}-nft /etc/alternatives/${name}`);
  }
}

/** A network that is open to outsiders, and a firewall of the host's own. */
async function opens(machine: Machine): Promise<void> {
  await nameIptables(machine);
  await machine.write("/etc/nftables.conf", "flush ruleset\ntable inet own { chain input { counter; }; }\n");
  await machine.write(
    "/etc/virt-hooks/rules.toml",
    '[[rule]]\nname = "lab"\nwhen = { network = "lab" }\nwhile = "network"\nopen = { ports = 22 }\n',
  );
  const started = await machine.networkHook("started");
  assertEquals([started.code, started.stderr], [0, ""]);
  const before = await machine.must(OURS);
  assertStringIncludes(before, "192.168.77.0/24");
  assert((await machine.run(`systemctl start ${UNIT}`)).code !== 0, "It is active without its firewall");
  assertEquals(await emptied(machine, "systemctl start nftables.service"), before);
}

/** That the firewall was emptied cannot be seen behind it, so a table of nobody's tells. */
async function emptied(machine: Machine, command: string): Promise<string> {
  await machine.must("nft add table inet stranger");
  await machine.must(command);
  assert((await machine.run("nft list table inet stranger")).code !== 0, "the firewall was not emptied");
  return await until("our table to be there", async () => (await machine.run(OURS)).stdout || undefined);
}

async function comesBack(machine: Machine): Promise<void> {
  const before = await machine.must(OURS);
  assertEquals(await emptied(machine, "systemctl restart nftables.service"), before);
  assertEquals(await emptied(machine, "systemctl reload nftables.service"), before);
  await machine.must("systemctl stop nftables.service");
  assert((await machine.run(OURS)).code !== 0);
  assertEquals(await emptied(machine, "systemctl start nftables.service"), before);
  await until("the history to name the unit", async () => {
    const { stdout } = await machine.run("grep virt-hooks-firewall@ /var/log/virt-hooks/history.jsonl");
    return stdout.includes(`"message":"virt-hooks reconcile by ${UNIT}: done"`) || undefined;
  });
}

async function uninstalls(machine: Machine): Promise<void> {
  assertEquals((await machine.networkHook("stopped")).stderr, "");
  const told = await machine.must(`sh '${PREFIX}/lib/virt-hooks/install.sh' --uninstall`);
  const [, command = ""] = /^ {2}(systemctl .+)$/m.exec(told) ?? [];
  await machine.must(command);
  assertEquals((await machine.must(`systemctl show -p LoadState --value ${UNIT}`)).trim(), "not-found");
}

/** What makes the others worth something: without the unit nobody looks. */
async function staysAway(machine: Machine): Promise<void> {
  assertEquals((await machine.networkHook("started")).code, 0);
  await machine.must(`${OURS} && systemctl restart nftables.service`);
  assert((await machine.run(OURS)).code !== 0);
  assertEquals((await machine.networkHook("stopped")).code, 0);
  assertEquals(await machine.ledgerFiles(), "");
}

/** The checks. */
export const FIREWALL_CHECKS: readonly Check[] = [
  { name: "install.sh enables a unit for firewalls, by files alone", play: installs },
  { name: "a network is opened, and the first start of the host's own firewall is noticed", play: opens },
  {
    name: "after nftables.service is restarted, reloaded, or stopped and started, our table is as before",
    play: comesBack,
  },
  { name: "install.sh takes the unit away again", play: uninstalls },
  { name: "without it our table stays away", play: staysAway },
];
