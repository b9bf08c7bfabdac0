/**
 * Guests that share one nft table: each has its own forwarded port, and some of the hooks are killed.
 * @module
 */
import type { Order, Report } from "./stress.ts";
import { callHook, type Guest, guestOf } from "./hook.ts";
import { makeRandom } from "./random.ts";

const KILLED_SHARE = 0.25;
const FIRST_PORT = 20_000;

function rulesFor(guests: readonly Guest[]): string {
  return guests.map(({ name }, index) =>
    `[[rule]]\nname = "port of ${name}"\nwhen = { domain = "${name}" }\n` +
    `forward = { host_port = ${FIRST_PORT + index}, to = "192.0.2.${index + 1}" }\n`
  ).join("\n");
}

async function ruleset(): Promise<string> {
  const { stdout } = await new Deno.Command("/usr/sbin/nft", { args: ["list", "ruleset"], stdin: "null" }).output();
  return new TextDecoder().decode(stdout);
}

/** The ports that the table forwards to guests, in order. */
async function forwarded(): Promise<readonly number[]> {
  return [...(await ruleset()).matchAll(/dport (\d+) counter[^\n]* dnat/g)].map(([, port]) => Number(port)).sort();
}

/** Starts all guests at once, checks the table, and ends all at once. */
export async function playForwards({ hooks, seed, guests: count }: Order): Promise<Report> {
  const hook = `${hooks}/qemu`;
  const guests = Array.from({ length: count }, (_, index) => guestOf(index));
  await Deno.writeTextFile("/etc/virt-hooks/rules.toml", rulesFor(guests));
  const random = makeRandom(seed);
  const mistakes: string[] = [];
  const before = await ruleset();
  const startedMs = performance.now();
  const called = await Promise.all(guests.map((guest) => {
    const killAfterMs = random() < KILLED_SHARE ? random() * 2000 : undefined;
    return callHook("started", guest, { hook, killAfterMs });
  }));
  const longestMs = Math.max(...called.map(({ endedMs }) => endedMs - startedMs));
  const promised = guests.flatMap((_, index) => called[index]?.code === 0 ? [FIRST_PORT + index] : []);
  const observation = new Set(await forwarded());
  for (const port of promised) {
    if (!observation.has(port)) mistakes.push(`port ${port} is not forwarded although its hook succeeded`);
  }
  for (const { code, stderr } of called) if (code !== 0 && code !== undefined) mistakes.push(stderr);
  await Promise.all(guests.map((guest) => callHook("release", guest, { hook })));
  if (await ruleset() !== before) mistakes.push(`the packet filter is not what it was: ${await ruleset()}`);
  const killed = called.filter(({ code }) => code === undefined).length;
  return { calls: 2 * count, killed, refused: 0, samples: 1, longestMs, mistakes };
}
