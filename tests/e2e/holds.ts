/**
 * Checks for scenes about holds: values of the node's kernel, the ledger, and the values recorded by a hook that runs afterwards.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HELD_KEYS, type HeldKey } from "./held_keys.ts";
import type { HistoryLine } from "./history.ts";
import type { Node } from "./node.ts";
import { readText } from "./node_handle.ts";
import { until } from "./until.ts";

/** The ledger's path in a node. */
export const LEDGER = "/run/virt-hooks/ledger";
const RECORDS = "/var/log/records";

/** The current value of a key. */
export async function valueOf(node: Node, key: HeldKey): Promise<string> {
  return (await node.sh(["cat", HELD_KEYS[key].path])).trim();
}

/** Asserts that the given keys have the value of the rules, and all others their original value. */
export async function assertHeld(node: Node, ...held: readonly HeldKey[]): Promise<void> {
  for (const key of keys()) {
    const { original, value } = HELD_KEYS[key];
    assertEquals(
      await valueOf(node, key),
      held.includes(key) ? value : original,
      `${key}, while ${held} must be held`,
    );
  }
}

/** Asserts that all keys have their original value and that the ledger is empty. */
export async function assertNothingHeld(node: Node): Promise<void> {
  await assertHeld(node);
  assertEquals(Object.keys(await ledgerFiles(node)), []);
}

function keys(): readonly HeldKey[] {
  return ["ttl", "keepalive", "msgmax"];
}

/** Every JSON file of the ledger's resources with its text: demands and states. */
export async function ledgerFiles(node: Node): Promise<Readonly<Record<string, string>>> {
  const found: [string, string][] = [];
  async function collect(folder: string): Promise<void> {
    for (const entry of await entriesOf(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await collect(path);
      else if (entry.isFile && entry.name.endsWith(".json")) found.push([path, await Deno.readTextFile(path)]);
    }
  }
  await collect(node.path(`${LEDGER}/resources`));
  return Object.fromEntries(found.sort());
}

async function entriesOf(folder: string): Promise<readonly Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The demands in the ledger, without the states. */
export async function demandFiles(node: Node): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries(Object.entries(await ledgerFiles(node)).filter(([path]) => path.includes("/demands/")));
}

/** The ledger folder of a key's resource, as a path in the node; created if missing. */
export async function resourceOf(node: Node, key: HeldKey): Promise<string> {
  const name = `sysctl/${HELD_KEYS[key].path.slice("/proc/sys/".length)}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const folder = `${LEDGER}/resources/${hex.slice(0, 32)}`;
  await node.sh(["mkdir", "-p", folder]);
  return folder;
}

/** A rule that holds keys. */
export function holdRule(
  name: string,
  held: readonly HeldKey[],
  options: {
    readonly when?: string;
    readonly while?: "network" | "port";
    readonly values?: Partial<Record<HeldKey, string>>;
  } = {},
): string {
  const table = held.map((key) => `"${HELD_KEYS[key].name}" = "${options.values?.[key] ?? HELD_KEYS[key].value}"`);
  return [
    "[[rule]]",
    `name = "${name}"`,
    `when = { ${options.when ?? 'domain = "*"'} }`,
    ...(options.while === undefined ? [] : [`while = "${options.while}"`]),
    `sysctl = { ${table.join(", ")} }`,
    "",
  ].join("\n");
}

/** Installs a hook after the product's that records the current values once the product's hook is done, then runs `more`. */
export async function recordHeldAt(node: Node, driver: "qemu" | "lxc" | "network", more = ""): Promise<void> {
  const values = keys().map((key) => `$(cat ${HELD_KEYS[key].path})`).join(" ");
  await node.writeHook(
    `${driver}.d/90-record`,
    `#!/bin/sh\necho "${driver} $1 $2:" ${values} >>${RECORDS}\n${more}\nexit 0\n`,
  );
}

/** The keys that were held when the last call of an operation ended, as the hook of `recordHeldAt()` recorded them. */
export async function heldAfter(node: Node, call: string): Promise<readonly HeldKey[]> {
  const line = await until(`the record of ${call}`, async () => {
    const lines = (await readText(node.path(RECORDS))).split("\n");
    return lines.findLast((text) => text.startsWith(`${call}:`));
  });
  const values = line.slice(call.length + 2).split(" ");
  return keys().filter((key, index) => values[index] === HELD_KEYS[key].value);
}

/** Lists the changes of held resources: driver, operation, resource and result. */
export function changesOf(lines: readonly HistoryLine[]): readonly string[] {
  return lines.flatMap(({ driver, operation, holds = [], actions }) => [
    ...holds.map(({ resource, end }) => `${driver} ${operation}: ${resource} ${end}`),
    ...actions.flatMap(({ resource, end, change }) =>
      resource === undefined || change === undefined ? [] : [`${driver} ${operation}: ${resource} ${end}`]
    ),
  ]);
}
