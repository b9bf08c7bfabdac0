/**
 * The crowd: many guests begin and end at once, again and again, and some of their hooks are killed. Run by `crowd.sh`, as a
 * program called libvirtd, an act at a time: the one that reconciles is then the libvirtd that comes next.
 * @module
 */
import { hashName, resourceFolder } from "../../lib/ledger/layout.ts";
import { playForwards } from "./forwards.ts";
import { type Called, callHook, type Guest, guestOf } from "./hook.ts";
import { broken, readStanding, RULES, type Standing } from "./host.ts";
import { makeRandom, type Random } from "./random.ts";

/** What to play. */
export interface Order {
  readonly hooks: string;
  readonly seed: number;
  readonly rounds: number;
  readonly guests: number;
}

/** What came of it. */
export interface Report {
  readonly calls: number;
  readonly killed: number;
  readonly refused: number;
  readonly samples: number;
  /** Promises that were not kept, and other mistakes. */
  readonly mistakes: readonly string[];
  readonly longestMs: number;
  /** How much longer a call took beside one that was stuck elsewhere than alone. */
  readonly ratio?: number;
}

const KILLED_SHARE = 0.25;
const SAMPLE_MS = 10;
const REFUSALS = /wants \d+, |the kernel found only|not enough memory/;

/** The crowd while it plays. */
interface Crowd {
  readonly order: Order;
  readonly random: Random;
  readonly base: Standing;
  /** Guests whose start has ended well and whose end has not begun. */
  readonly live: Set<Guest>;
  readonly counts: { calls: number; killed: number; refused: number; samples: number; longestMs: number };
  readonly mistakes: string[];
}

async function call(operation: string, guest: Guest, crowd: Crowd, mayDie = true): Promise<Called> {
  const { counts, random, order } = crowd;
  const isDoomed = mayDie && random() < KILLED_SHARE;
  // Most deaths come where it hurts: fifty at once take about fifty times as long as one.
  const killAfterMs = isDoomed ? random() * order.guests * 60 : undefined;
  const called = await callHook(operation, guest, { hook: `${order.hooks}/qemu`, killAfterMs });
  counts.calls++;
  if (called.code === undefined) counts.killed++;
  counts.longestMs = Math.max(counts.longestMs, called.endedMs - called.startedMs);
  return called;
}

/** What libvirt does: a start that fails, however that is, is followed by a release. */
async function begin(guest: Guest, crowd: Crowd): Promise<void> {
  const { live, counts, mistakes } = crowd;
  const { code, stderr } = await call("prepare", guest, crowd);
  if (code === 0) {
    await Deno.writeTextFile(`/run/libvirt/qemu/${guest.name}.xml`, guest.uuid);
    live.add(guest);
    return;
  }
  if (code !== undefined) counts.refused++;
  if (code !== undefined && !REFUSALS.test(stderr)) mistakes.push(`${guest.name} was refused: ${stderr.trim()}`);
  await end(guest, crowd);
}

async function end(guest: Guest, crowd: Crowd): Promise<void> {
  crowd.live.delete(guest);
  await Deno.remove(`/run/libvirt/qemu/${guest.name}.xml`).catch(() => undefined);
  const { code, stderr } = await call("release", guest, crowd);
  if (code !== undefined && (code !== 0 || stderr !== "")) {
    crowd.mistakes.push(`${guest.name} was released with ${code}: ${stderr.trim()}`);
  }
}

/** Looks at the kernel all the time: whoever lived before and behind a look must have had what was promised. */
async function sample(crowd: Crowd, signal: AbortSignal): Promise<void> {
  const { live, base, counts, mistakes } = crowd;
  while (!signal.aborted) {
    const before = [...live];
    const now = readStanding();
    const promised = before.filter((guest) => live.has(guest)).map(({ wants }) => wants);
    counts.samples++;
    for (const mistake of broken(promised, { base, now })) if (!mistakes.includes(mistake)) mistakes.push(mistake);
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
}

async function play(order: Order): Promise<Report> {
  await Deno.writeTextFile("/etc/virt-hooks/rules.toml", RULES);
  const counts = { calls: 0, killed: 0, refused: 0, samples: 0, longestMs: 0 };
  const crowd: Crowd = {
    ...{ order, random: makeRandom(order.seed), base: readStanding() },
    ...{ live: new Set(), counts, mistakes: [] },
  };
  const guests = Array.from({ length: order.guests }, (_, index) => guestOf(index));
  const stopped = new AbortController();
  const sampled = sample(crowd, stopped.signal);
  for (let round = 0; round < order.rounds; round++) {
    await Promise.all(guests.map((guest) => crowd.live.has(guest) ? end(guest, crowd) : begin(guest, crowd)));
  }
  await Promise.all([...crowd.live].map((guest) => end(guest, crowd)));
  stopped.abort();
  await sampled;
  return { ...counts, mistakes: crowd.mistakes };
}

/** A hook that is stuck at one resource, and another that needs a resource of its own. */
async function stuck({ hooks }: Order): Promise<Report> {
  await Deno.writeTextFile("/etc/virt-hooks/rules.toml", RULES);
  const hook = `${hooks}/qemu`;
  const [waiting, free] = [guestOf(1), guestOf(3)];
  const mistakes: string[] = [];
  async function well(operation: string, guest: Guest): Promise<Called> {
    const called = await callHook(operation, guest, { hook });
    if (called.code !== 0) mistakes.push(`${operation} of ${guest.name} ended with ${called.code}: ${called.stderr}`);
    return called;
  }
  for (const guest of [waiting, free]) for (const operation of ["prepare", "release"]) await well(operation, guest);
  const alone = await well("prepare", free);
  await well("release", free);
  const { folder, lock } = resourceFolder(await hashName("sysctl/vm/swappiness"));
  await Deno.mkdir(folder, { mode: 0o700 });
  using file = await Deno.open(lock, { read: true, write: true, create: true, mode: 0o600 });
  await file.lock(true);
  const stuck = well("prepare", waiting);
  const beside = await well("prepare", free);
  await file.unlock();
  const { endedMs } = await stuck;
  if (endedMs < beside.endedMs) mistakes.push("what waits for a resource of its own ended behind what was stuck");
  for (const guest of [free, waiting]) await well("release", guest);
  const ratio = (beside.endedMs - beside.startedMs) / (alone.endedMs - alone.startedMs);
  return { calls: 9, killed: 0, refused: 0, samples: 0, longestMs: 0, mistakes, ratio };
}

async function reconcile({ hooks }: Order): Promise<Report> {
  const { code, stderr } = await new Deno.Command(`${hooks}/daemon`, {
    args: ["-", "start", "-", "start"],
    ...{ stdin: "null", stdout: "null", stderr: "piped", clearEnv: true },
  }).output();
  const mistakes = code === 0 ? [] : [new TextDecoder().decode(stderr)];
  const left = ["resources", "holders", "damaged"].flatMap((name) => leftIn(`/run/virt-hooks/ledger/${name}`));
  return {
    ...{ calls: 1, killed: 0, refused: 0, samples: 0, longestMs: 0 },
    mistakes: [...mistakes, ...left.map((path) => `left in the ledger: ${path}`)],
  };
}

/** Everything in a folder of the ledger: once all guests are gone, there is nothing. */
function leftIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? [path, ...leftIn(path)] : [`${path}: ${Deno.readTextFileSync(path).trim()}`];
  });
}

const ACTS: Readonly<Record<string, (order: Order) => Promise<Report>>> = {
  play,
  stuck,
  reconcile,
  forwards: playForwards,
};

if (import.meta.main) {
  const [act = "", order = "{}"] = Deno.args;
  const report = await ACTS[act]?.(JSON.parse(order));
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
}
