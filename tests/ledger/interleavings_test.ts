/**
 * Hooks of several guests at once, in any order of their steps, some killed on the way: whatever happens, nobody who lives
 * has less than it was promised, and when all are gone the host is what it was.
 * @module
 */
import * as fc from "fast-check";
import type { Sys } from "../../lib/sys/sys.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { poolHost } from "../support/hugepage_host.ts";
import { killable, type Moment } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost, procStat } from "../support/ledger_host.ts";

const RUNS = Number(Deno.env.get("VIRT_HOOKS_FUZZ") ?? "1") * 60;
const SWAPPINESS = "/proc/sys/vm/swappiness";
const POOL = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";

/** What the guests want. The third does not go with the others. */
const GUESTS = [
  { name: "a", uuid: "aaaaaaaa-2222-4333-8444-555555555555", pages: 8, swappiness: 1 },
  { name: "b", uuid: "bbbbbbbb-2222-4333-8444-555555555555", pages: 4, swappiness: 1 },
  { name: "c", uuid: "cccccccc-2222-4333-8444-555555555555", pages: 2, swappiness: 7 },
] as const;
type Guest = typeof GUESTS[number];

const RULES = GUESTS.map(({ name, pages, swappiness }) =>
  `[[rule]]\nname = "${name}"\nwhen = { domain = "${name}" }\n` +
  `sysctl = { "vm.swappiness" = ${swappiness} }\nhugepages = { pages = ${pages} }\n`
).join("\n");

/** A guest is started where it is off, and stopped where it runs. */
interface Turn {
  readonly guest: number;
  /** The effect at which the hook is killed. */
  readonly killedAt: number | null;
  readonly moment: Moment;
}

const turn: fc.Arbitrary<Turn> = fc.record({
  guest: fc.nat(GUESTS.length - 1),
  killedAt: fc.option(fc.integer({ min: 1, max: 45 })),
  moment: fc.constantFrom("before", "half", "after"),
});
/** Turns that happen at once. */
const waves = fc.array(fc.uniqueArray(turn, { minLength: 1, maxLength: 3, selector: ({ guest }) => guest }), {
  maxLength: 8,
});

/** A host, libvirt's view of its guests, and what a test knows. */
interface World {
  readonly host: LedgerHost;
  readonly live: Set<Guest>;
  readonly scheduler: fc.Scheduler;
  /** What stands when nobody holds anything. */
  readonly base: { pages: number; swappiness: string };
  /** A release was killed: until somebody reconciles, more may be held than there are guests. */
  isUntidy: boolean;
}

function newWorld(scheduler: fc.Scheduler): World {
  const pools = poolHost({ nodes: [{ pages: 10 }] });
  const host = ledgerHost(RULES, {
    ...pools.host,
    files: { ...pools.host.files, [SWAPPINESS]: "60\n", "/run/libvirt/qemu/autostart/x": "" },
  });
  return { host, live: new Set(), scheduler, base: { pages: 10, swappiness: "60" }, isUntidy: false };
}

/** A process whose every wait lets others go on first, in the order that the scheduler likes. */
function interleaved(sys: Sys, scheduler: fc.Scheduler): Sys {
  async function turnOf<Result>(label: string, act: () => Promise<Result>): Promise<Result> {
    await scheduler.schedule(Promise.resolve(), label);
    return await act();
  }
  return {
    ...sys,
    kernel: {
      ...sys.kernel,
      read: (paths) => turnOf("read", () => sys.kernel.read(paths)),
      write: (path, text, timeoutMs) => turnOf("write", () => sys.kernel.write(path, text, timeoutMs)),
    },
    sleep: (durationMs) => turnOf("sleep", () => sys.sleep(durationMs)),
  };
}

interface Called {
  readonly code: number;
  readonly isKilled: boolean;
}

async function call(operation: string, { guest, killedAt, moment }: Turn, world: World): Promise<Called> {
  const { host, scheduler } = world;
  let isKilled = (): boolean => false;
  const { code } = await host.call("qemu", operation, guestOf(guest), (sys) => {
    const process = killable(sys, killedAt === null ? undefined : { at: killedAt, moment });
    ({ isKilled } = process);
    return interleaved(process.sys, scheduler);
  });
  return { code, isKilled: isKilled() };
}

function guestOf(index: number): Guest {
  const guest = GUESTS[index];
  if (guest === undefined) throw new Error(`Cannot play guest ${index}: there is none`);
  return guest;
}

/** What libvirt does: a start that fails is followed by a release. Tells whether the guest was refused. */
async function play(turn: Turn, world: World): Promise<boolean> {
  const guest = guestOf(turn.guest);
  const { live, host } = world;
  const status = `/run/libvirt/qemu/${guest.name}.xml`;
  if (live.has(guest)) {
    live.delete(guest);
    host.nodes.delete(status);
    const { isKilled } = await call("release", turn, world);
    world.isUntidy ||= isKilled;
    return false;
  }
  const { code, isKilled } = await call("prepare", turn, world);
  if (code === 0 && !isKilled) {
    live.add(guest);
    host.write(status, guest.uuid);
    return false;
  }
  await call("release", { ...turn, killedAt: null }, world);
  return !isKilled;
}

function now({ host }: World): { readonly pages: number; readonly swappiness: string | undefined } {
  return { pages: Number(host.text(POOL)), swappiness: host.text(SWAPPINESS)?.trim() };
}

/** What there must be at least, or exactly. */
function assertPromises(world: World): void {
  const { live, base, isUntidy } = world;
  const { pages, swappiness } = now(world);
  const promised = [...live].reduce((sum, guest) => sum + guest.pages, base.pages);
  const [first] = live;
  if (first !== undefined) assertEquals(swappiness, String(first.swappiness));
  assert(pages >= promised, `${pages} pages, and ${promised} are promised`);
  if (isUntidy) return;
  assertEquals(pages, promised);
  if (first === undefined) assertEquals(swappiness, base.swappiness);
}

/** All guests end, libvirtd is restarted. */
async function end(world: World): Promise<void> {
  const { host, live, scheduler } = world;
  for (const guest of [...live]) {
    const turn = { guest: GUESTS.indexOf(guest), killedAt: null, moment: "before" } as const;
    await scheduler.waitFor(play(turn, world));
  }
  host.nodes.delete("/proc/1000/stat");
  host.write("/proc/2000/stat", procStat(2000, "libvirtd", 999));
  await host.call("daemon", "start", {}, (sys) => {
    sys.parent.pid = 2000;
    return sys;
  });
  world.isUntidy = false;
  assertPromises(world);
  assertEquals(host.ledgerFiles(), []);
  assertEquals([...host.locks], [], "every lock was let go");
}

Deno.test("hooks of several guests at once, some killed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), waves, async (scheduler, played) => {
      const world = newWorld(scheduler);
      for (const wave of played) {
        const before = new Set(world.live);
        const wasUntidy = world.isUntidy;
        const refusals = await scheduler.waitFor(Promise.all(wave.map((each) => play(each, world))));
        for (const [index, isRefused] of refusals.entries()) {
          const { swappiness } = guestOf(wave[index]?.guest ?? 0);
          const others = [...before, ...wave.map(({ guest }) => guestOf(guest))];
          const isAlone = others.every((other) => other.swappiness === swappiness) && !wasUntidy;
          assert(!(isRefused && isAlone), "nobody is refused without a reason");
        }
        assertPromises(world);
      }
      await end(world);
    }),
    { numRuns: RUNS },
  );
});

/** Somebody else changes the host while no hook is at it. */
const drift = fc.record({ pages: fc.integer({ min: -3, max: 6 }), swappiness: fc.option(fc.constantFrom("30", "40")) });

Deno.test("hooks of several guests at once, and an administrator", async () => {
  const unhurt = fc.array(
    fc.record({
      wave: fc.uniqueArray(turn, { minLength: 1, maxLength: 3, selector: ({ guest }) => guest }),
      drift: fc.option(drift),
    }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), unhurt, async (scheduler, played) => {
      const world = newWorld(scheduler);
      const { host, base, live } = world;
      /** What may stand when nobody holds the key: what an administrator set meanwhile stays, unless a hook has set it again. */
      let free = new Set([base.swappiness]);
      for (const { wave, drift } of played) {
        await scheduler.waitFor(Promise.all(wave.map((each) => play({ ...each, killedAt: null }, world))));
        const { pages: observation, swappiness = "" } = now(world);
        assertEquals(observation, [...live].reduce((sum, guest) => sum + guest.pages, base.pages));
        const [first] = live;
        assert(free.has(swappiness) || swappiness === String(first?.swappiness), `swappiness is ${swappiness}`);
        if (first === undefined) free = new Set([swappiness]);
        if (drift === null) continue;
        const pages = Math.max(base.pages + drift.pages, 0) - base.pages;
        await host.sys().kernel.write(POOL, String(now(world).pages + pages), 1000);
        base.pages += pages;
        if (drift.swappiness === null) continue;
        host.write(SWAPPINESS, `${drift.swappiness}\n`);
        if (first === undefined) free.clear();
        free.add(drift.swappiness);
      }
      for (const guest of [...live]) {
        const turn = { guest: GUESTS.indexOf(guest), killedAt: null, moment: "before" } as const;
        await scheduler.waitFor(play(turn, world));
      }
      const { pages, swappiness = "" } = now(world);
      assertEquals([pages, free.has(swappiness), host.ledgerFiles()], [base.pages, true, []]);
    }),
    { numRuns: RUNS },
  );
});
