/**
 * What scenes about holds look at: values of the node's own kernel, the ledger, and what a neighbouring hook saw.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { HELD_KEYS, type HeldKey } from "./held_keys.ts";
import type { HistoryLine } from "./history.ts";
import type { Node } from "./node.ts";
import { readText } from "./place.ts";
import { until } from "./until.ts";

/** Where the ledger lies in a node. */
export const LEDGER = "/run/virt-hooks/ledger";
const LOOKS = "/var/log/looks";

/** What a key's file says now. */
export async function valueOf(node: Node, key: HeldKey): Promise<string> {
  return (await node.sh(["cat", HELD_KEYS[key].path])).trim();
}

/** Asserts that every key named is as the rules want it, and all others are as they were. */
export async function assertHeld(node: Node, ...held: readonly HeldKey[]): Promise<void> {
  for (const key of keys()) {
    const { original, value } = HELD_KEYS[key];
    assertEquals(
      await valueOf(node, key),
      held.includes(key) ? value : original,
      `${key}, where ${held} shall be held`,
    );
  }
}

/** Asserts that the host is as it was, and that nothing is remembered of any hold. */
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
  async function look(folder: string): Promise<void> {
    for (const entry of await entriesOf(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await look(path);
      else if (entry.isFile && entry.name.endsWith(".json")) found.push([path, await Deno.readTextFile(path)]);
    }
  }
  await look(node.path(`${LEDGER}/resources`));
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

/** The folder of a key's resource, inside the node; it is there once the key was held. */
export async function resourceOf(node: Node, key: HeldKey): Promise<string> {
  const name = `sysctl/${HELD_KEYS[key].path.slice("/proc/sys/".length)}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const folder = `${LEDGER}/resources/${hex.slice(0, 32)}`;
  // It comes and goes with what is held.
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

/** Puts a stranger's hook behind ours that notes what stands when ours is done; `more` is what it does beside that. */
export async function installLook(node: Node, driver: "qemu" | "lxc" | "network", more = ""): Promise<void> {
  const looks = keys().map((key) => `$(cat ${HELD_KEYS[key].path})`).join(" ");
  await node.writeHook(
    `${driver}.d/90-look`,
    `#!/bin/sh\necho "${driver} $1 $2:" ${looks} >>${LOOKS}\n${more}\nexit 0\n`,
  );
}

/** What stood at the end of our last call of an operation: the names of the keys that were held. The neighbour comes after us. */
export async function heldAfter(node: Node, call: string): Promise<readonly HeldKey[]> {
  const line = await until(`the neighbour's look after ${call}`, async () => {
    const lines = (await readText(node.path(LOOKS))).split("\n");
    return lines.findLast((text) => text.startsWith(`${call}:`));
  });
  const values = line.slice(call.length + 2).split(" ");
  return keys().filter((key, index) => values[index] === HELD_KEYS[key].value);
}

/** What calls changed of what is held: driver, operation, resource, and how it ended. */
export function changesOf(lines: readonly HistoryLine[]): readonly string[] {
  return lines.flatMap(({ driver, operation, holds = [], actions }) => [
    ...holds.map(({ resource, end }) => `${driver} ${operation}: ${resource} ${end}`),
    ...actions.flatMap(({ resource, end, change }) =>
      resource === undefined || change === undefined ? [] : [`${driver} ${operation}: ${resource} ${end}`]
    ),
  ]);
}
