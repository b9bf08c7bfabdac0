/**
 * Checks of the unit that install.sh writes, beside a real firewalld and a real libvirt: firewalld empties what libvirt wrote, libvirt
 * writes it again, and ours has to be before that.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import type { Machine } from "./machine.ts";
import { DEFAULT_NETWORK } from "../e2e/guests.ts";
import { until } from "../e2e/until.ts";

/** What is laid over the machine's `/usr` for them. */
export const FIREWALLD_PACKAGES = ["firewalld", "python3-firewall", "python3-nftables"] as const;

const INSTANCES = "virt-hooks-firewall@firewalld virt-hooks-firewall@nftables";
const RULES = '[[rule]]\nname = "lab"\nwhen = { network = "default" }\nwhile = "network"\nopen = { ports = 22 }\n';
const FORWARD = "iptables -S FORWARD";
/** firewalld leaves iptables alone unless somebody uses it. */
const DIRECT_RULE = "firewall-cmd --permanent --direct --add-rule ipv4 filter INPUT 0 -j ACCEPT";

/** What a host has in `/etc`; the machine's is empty at first. */
const ETC = {
  // All that services of firewalld's name: it ends where one is not known.
  "/etc/protocols": "icmp 1\ntcp 6\nudp 17\ndccp 33\ngre 47\nesp 50\nah 51\nipv6-icmp 58\nsctp 132\n",
  "/etc/libvirt/libvirtd.conf": 'auth_unix_rw = "none"\n',
  "/etc/virt-hooks/rules.toml": RULES,
  "/root/network.xml": DEFAULT_NETWORK,
} as const;

/** Without polkit's file of it, which Debian keeps for desktops, root would be asked who it is. */
async function starts(machine: Machine): Promise<void> {
  for (const [path, text] of Object.entries(ETC)) await machine.write(path, text);
  await machine.must("echo libvirt-qemu:x:64055:64055::/:/bin/false >>/etc/passwd");
  await machine.must("echo libvirt-qemu:x:64055: >>/etc/group");
  await machine.must("mkdir -p /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/systemd/system");
  await machine.must("systemctl mask --runtime --now polkit.service && systemctl start dbus.service");
  await machine.must("sh /archive/install.sh --drivers network --prefix /opt/virt-hooks");
  await machine.must("systemctl daemon-reload");
  await machine.must("systemctl start nftables.service && systemctl start firewalld.service");
  await machine.must("systemctl stop libvirtd-tls.socket libvirtd-tcp.socket && systemctl start libvirtd.service");
  await machine.must("virsh net-define /root/network.xml && virsh net-start default");
  assert(isOurs(await machine.must(FORWARD)), await machine.must(FORWARD));
}

/** Whether libvirt's rules are there, and what lets ours through is before them. */
function isOurs(forward: string): boolean {
  const [, first = "", ...others] = forward.split("\n");
  return / --comment virt-hooks -j ACCEPT$/.test(first) && others.includes("-A FORWARD -j LIBVIRT_FWI");
}

/** firewalld does not run beside nftables.service, so what starts the one stops all that is a part of the other. */
async function oneForEach(machine: Machine): Promise<void> {
  const { stdout } = await machine.run(`systemctl is-active ${INSTANCES}`);
  assertEquals(stdout, "active\ninactive\n");
}

/** A stranger's chain shows that iptables was emptied: for systemd firewalld is up before that. */
async function emptied(machine: Machine, command: string): Promise<void> {
  await machine.must("iptables -N STRANGER");
  await machine.must(command);
  await until("iptables to be emptied", async () => (await machine.run("iptables -S STRANGER")).code !== 0);
}

async function comesBack(machine: Machine): Promise<void> {
  await emptied(machine, "systemctl restart firewalld.service");
  await until("ours to be first after a restart", async () => isOurs(await machine.must(FORWARD)));
  await machine.must(DIRECT_RULE);
  await emptied(machine, "systemctl reload firewalld.service");
  await until("ours to be first after a reload", async () => isOurs(await machine.must(FORWARD)));
}

/** What makes the others worth something: of this systemd does not know, and nobody looks. */
async function reloadsItself(machine: Machine): Promise<void> {
  await emptied(machine, "firewall-cmd --reload");
  await until("libvirt's rules", async () => (await machine.must(FORWARD)).includes("LIBVIRT_FWI"));
  assert(!isOurs(await machine.must(FORWARD)), await machine.must(FORWARD));
  const { code, stdout } = await machine.run("/opt/virt-hooks/sbin/virt-hooks status");
  assertEquals(code, 1);
  assertStringIncludes(stdout, "drift");
  await machine.must("/opt/virt-hooks/sbin/virt-hooks reconcile");
  assert(isOurs(await machine.must(FORWARD)), await machine.must(FORWARD));
}

async function ends(machine: Machine): Promise<void> {
  await machine.must("virsh net-destroy default");
  assertEquals([(await machine.must("nft list ruleset")).includes("virt-hooks"), await machine.ledgerFiles()], [
    false,
    "",
  ]);
  await machine.must("systemctl stop libvirtd.service libvirtd.socket firewalld.service");
  await machine.must("sh /opt/virt-hooks/lib/virt-hooks/install.sh --uninstall");
}

/** The checks. */
export const FIREWALLD_CHECKS: readonly Check[] = [
  { name: "firewalld and libvirt run, and a network is open", play: starts },
  { name: "the unit looks after the firewall that runs, and not after the other", play: oneForEach },
  { name: "after firewalld.service is restarted or reloaded, what lets ours through is first again", play: comesBack },
  { name: "after firewall-cmd --reload status tells, and reconcile mends it", play: reloadsItself },
  { name: "nothing is left", play: ends },
];
