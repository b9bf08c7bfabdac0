/**
 * Checks of names: what the compiled hook tells a real systemd-resolved about a network's bridge.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import type { Machine } from "./machine.ts";

const BRIDGE = "virbr7";

async function makeBridge(machine: Machine): Promise<void> {
  await machine.must(
    `ip link add ${BRIDGE} type bridge && ip address add 192.168.77.1/24 dev ${BRIDGE} && ip link set ${BRIDGE} up`,
  );
}

async function writeRule(machine: Machine, name = "lab.internal"): Promise<void> {
  await machine.write(
    "/etc/virt-hooks/rules.toml",
    `[[rule]]\nname = "names"\nwhen = { network = "lab" }\nwhile = "network"\ndns = { domain = "${name}" }\n`,
  );
}

/** The domains and the servers that resolved knows for the bridge. */
async function settings(machine: Machine): Promise<readonly string[]> {
  const text = await machine.must(`resolvectl domain ${BRIDGE} && resolvectl dns ${BRIDGE}`);
  return text.trimEnd().split("\n").map((line) => line.replace(/^Link \d+ /, ""));
}

/** Debian starts it wherever it is installed, and its folder stays when it is stopped. */
async function refusesWithoutResolved(machine: Machine): Promise<void> {
  await makeBridge(machine);
  await writeRule(machine);
  await machine.must("systemctl disable --now systemd-resolved.service");
  await refuses(machine, "systemd-resolved does not answer: ");
  await machine.must("rm -r /run/systemd/resolve");
  await refuses(machine, "systemd-resolved does not run on this host");
}

async function refuses(machine: Machine, words: string): Promise<void> {
  const { code, stderr } = await machine.networkHook("started");
  assertEquals(code, 0);
  assertStringIncludes(stderr, words);
  assertEquals(await machine.ledgerFiles(), "");
}

async function setsAndPutsBack(machine: Machine): Promise<void> {
  await machine.must("systemctl enable --now systemd-resolved.service");
  const before = await settings(machine);
  assertEquals(before, [`(${BRIDGE}):`, `(${BRIDGE}):`]);
  const started = await machine.networkHook("started");
  assertEquals([started.code, started.stderr], [0, ""]);
  assertEquals(await settings(machine), [`(${BRIDGE}): ~lab.internal`, `(${BRIDGE}): 192.168.77.1`]);
  const stopped = await machine.networkHook("stopped");
  assertEquals([stopped.code, stopped.stderr], [0, ""]);
  assertEquals([await settings(machine), await machine.ledgerFiles()], [before, ""]);
}

async function keepsAdministrators(machine: Machine): Promise<void> {
  await machine.must(`resolvectl dns ${BRIDGE} 192.0.2.53 2001:db8::53 && resolvectl domain ${BRIDGE} corp.example`);
  const before = await settings(machine);
  const started = await machine.networkHook("started");
  assertEquals([started.code, started.stderr], [0, ""]);
  assertEquals(await settings(machine), [
    `(${BRIDGE}): corp.example ~lab.internal`,
    `(${BRIDGE}): 192.0.2.53 2001:db8::53 192.168.77.1`,
  ]);
  assertEquals((await machine.networkHook("stopped")).stderr, "");
  assertEquals([await settings(machine), await machine.ledgerFiles()], [before, ""]);
  await machine.must(`resolvectl revert ${BRIDGE}`);
}

/** What somebody sets while the network is active is theirs. */
async function leavesWhatCameLater(machine: Machine): Promise<void> {
  await machine.networkHook("started");
  await machine.must(`resolvectl domain ${BRIDGE} mine.example`);
  const stopped = await machine.networkHook("stopped");
  assertEquals(stopped.code, 0);
  assertEquals(await settings(machine), [`(${BRIDGE}): mine.example`, `(${BRIDGE}): 192.168.77.1`]);
  assertEquals(await machine.ledgerFiles(), "");
  await machine.must(`resolvectl revert ${BRIDGE}`);
}

async function survivesRestart(machine: Machine): Promise<void> {
  await machine.networkHook("started");
  await machine.must("systemctl restart systemd-resolved.service");
  assertEquals(await settings(machine), [`(${BRIDGE}): ~lab.internal`, `(${BRIDGE}): 192.168.77.1`]);
  assertEquals((await machine.networkHook("stopped")).stderr, "");
  assertEquals(await settings(machine), [`(${BRIDGE}):`, `(${BRIDGE}):`]);
}

async function bridgeGoes(machine: Machine): Promise<void> {
  await machine.networkHook("started");
  await machine.must(`ip link del ${BRIDGE}`);
  const stopped = await machine.networkHook("stopped");
  assertEquals([stopped.code, stopped.stderr, await machine.ledgerFiles()], [0, "", ""]);
  await refuses(machine, `there is no device ${BRIDGE}`);
}

/** The checks. */
export const NAME_CHECKS: readonly Check[] = [
  { name: "dns is refused where systemd-resolved does not run", play: refusesWithoutResolved },
  { name: "dns is set on the network's bridge and put back", play: setsAndPutsBack },
  { name: "an administrator's own servers and domains stay, beside ours and behind them", play: keepsAdministrators },
  { name: "what an administrator sets meanwhile stays", play: leavesWhatCameLater },
  { name: "a restart of systemd-resolved forgets nothing", play: survivesRestart },
  { name: "a bridge that is gone has nothing to put back", play: bridgeGoes },
];
