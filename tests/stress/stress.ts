/**
 * The stress test: many guests start and end at once, several times, and some of their hooks are killed. `stress.sh` runs each
 * phase as a separate process named libvirtd, so that the phase which reconciles is the next libvirtd.
 * @module
 */
import { hashName, resourceFolder } from "../../lib/ledger/layout.ts";
import { playForwards } from "./forwards.ts";
import { type Called, callHook, type Guest, guestOf } from "./hook.ts";
import { broken, readValues, RULES, type Values } from "./host.ts";
import { makeRandom, type Random } from "./random.ts";

/** The parameters of a run. */
export interface Order {
  readonly hooks: string;
  readonly seed: number;
  readonly rounds: number;
  readonly guests: number;
}

/** The result of a phase. */
export interface Report {
  readonly calls: number;
  readonly killed: number;
  readonly refused: number;
  readonly samples: number;
  /** Granted demands that were not kept, and other failures. */
  readonly mistakes: readonly string[];
  readonly longestMs: number;
  /** How much longer a call took while another call waited for a different resource. */
  readonly ratio?: number;
}

const KILLED_SHARE = 0.25;
const SAMPLE_MS = 10;
const REFUSALS = /wants \d+, |the kernel found only|not enough memory/;

/** The state of a run. */
interface Run {
  readonly order: Order;
  readonly random: Random;
  readonly base: Values;
  /** Guests that have started and are not ending. */
  readonly live: Set<Guest>;
  readonly counts: { calls: number; killed: number; refused: number; samples: number; longestMs: number };
  readonly mistakes: string[];
}

async function call(operation: string, guest: Guest, run: Run, mayBeKilled = true): Promise<Called> {
  const { counts, random, order } = run;
  const isKilled = mayBeKilled && random() < KILLED_SHARE;
  // Fifty calls at once take about fifty times as long as one: most kills hit a hook in the middle of its work.
  const killAfterMs = isKilled ? random() * order.guests * 60 : undefined;
  const called = await callHook(operation, guest, { hook: `${order.hooks}/qemu`, killAfterMs });
  counts.calls++;
  if (called.code === undefined) counts.killed++;
  counts.longestMs = Math.max(counts.longestMs, called.endedMs - called.startedMs);
  return called;
}

/** Starts a guest as libvirt does: a release follows a failed start. */
async function begin(guest: Guest, run: Run): Promise<void> {
  const { live, counts, mistakes } = run;
  const { code, stderr } = await call("prepare", guest, run);
  if (code === 0) {
    await Deno.writeTextFile(`/run/libvirt/qemu/${guest.name}.xml`, guest.uuid);
    live.add(guest);
    return;
  }
  if (code !== undefined) counts.refused++;
  if (code !== undefined && !REFUSALS.test(stderr)) mistakes.push(`${guest.name} was refused: ${stderr.trim()}`);
  await end(guest, run);
}

async function end(guest: Guest, run: Run): Promise<void> {
  run.live.delete(guest);
  await Deno.remove(`/run/libvirt/qemu/${guest.name}.xml`).catch(() => undefined);
  const { code, stderr } = await call("release", guest, run);
  if (code !== undefined && (code !== 0 || stderr !== "")) {
    run.mistakes.push(`${guest.name} was released with ${code}: ${stderr.trim()}`);
  }
}

/** Samples the current values until aborted: a guest that is live before and after a sample must have its demands. */
async function sample(run: Run, signal: AbortSignal): Promise<void> {
  const { live, base, counts, mistakes } = run;
  while (!signal.aborted) {
    const before = [...live];
    const now = readValues();
    const granted = before.filter((guest) => live.has(guest)).map(({ wants }) => wants);
    counts.samples++;
    for (const mistake of broken(granted, { base, now })) if (!mistakes.includes(mistake)) mistakes.push(mistake);
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
}

async function play(order: Order): Promise<Report> {
  await Deno.writeTextFile("/etc/virt-hooks/rules.toml", RULES);
  const counts = { calls: 0, killed: 0, refused: 0, samples: 0, longestMs: 0 };
  const run: Run = {
    ...{ order, random: makeRandom(order.seed), base: readValues() },
    ...{ live: new Set(), counts, mistakes: [] },
  };
  const guests = Array.from({ length: order.guests }, (_, index) => guestOf(index));
  const stopped = new AbortController();
  const sampled = sample(run, stopped.signal);
  for (let round = 0; round < order.rounds; round++) {
    await Promise.all(guests.map((guest) => run.live.has(guest) ? end(guest, run) : begin(guest, run)));
  }
  await Promise.all([...run.live].map((guest) => end(guest, run)));
  stopped.abort();
  await sampled;
  return { ...counts, mistakes: run.mistakes };
}

/** Checks that a hook which waits for one resource does not delay a hook that needs another. */
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
  if (endedMs < beside.endedMs) {
    mistakes.push("the hook for another resource ended after the hook that waited for the lock");
  }
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

const PHASES: Readonly<Record<string, (order: Order) => Promise<Report>>> = {
  play,
  stuck,
  reconcile,
  forwards: playForwards,
};

if (import.meta.main) {
  const [phase = "", order = "{}"] = Deno.args;
  const report = await PHASES[phase]?.(JSON.parse(order));
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
}
