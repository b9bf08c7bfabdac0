/**
 * A hook is killed at each of its effects, one after the other: before it, behind it, half-way through a file. Whatever
 * comes next (release, reconcile, the same start again) finds the way back to what stood before, and an empty ledger.
 * @module
 */
import { RESOURCE_ORDER, type ResourceName } from "../../lib/plan/demand.ts";
import { builtinKinds } from "../../lib/resources/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Kill, killable, type Moment } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost, procStat } from "../support/ledger_host.ts";
import { KILL_ROWS, type KillRow } from "./kill_rows.ts";
import type { Scene } from "./kill_scenes.ts";

const MOMENTS = ["before", "half", "after"] as const satisfies readonly Moment[];
const NEXT_DAEMON_PID = 2000;
/** Of all pairs of deaths every fifth is played; all with VIRT_HOOKS_FUZZ. */
const PAIR_STEP = Deno.env.get("VIRT_HOOKS_FUZZ") === undefined ? 5 : 1;

/** A host in the middle of a row's story. */
interface Play {
  readonly host: LedgerHost;
  readonly scene: Scene;
}

/** What can follow a kill. `label` begins the message of a failure. */
interface Sequel {
  readonly label: string;
  readonly play: (play: Play, row: KillRow) => Promise<void>;
}

async function begun(row: KillRow): Promise<Play> {
  const scene = row.scene();
  const host = ledgerHost(row.rules, {
    ...scene.host,
    files: { "/run/libvirt/qemu/autostart/x": "", "/run/libvirt/network/autostart/x": "", ...scene.host.files },
  });
  scene.wire?.(host.nodes);
  assertEquals(scene.look(host), row.original, `${row.name}: a scene begins as its row says`);
  for (const operation of row.before ?? []) await host.call(row.driver, operation, row.about);
  return { host, scene };
}

async function held(row: KillRow): Promise<Play> {
  const play = await begun(row);
  const { code, stderr } = await play.host.call(row.driver, row.acquire, row.about);
  assertEquals([code, stderr], [0, ""], `${row.name}: undisturbed`);
  assertEquals(play.scene.look(play.host), row.held, `${row.name}: undisturbed`);
  return play;
}

/** Plays a call to its kill, or to its end; tells what it did. */
async function doomedCall(
  { host, scene }: Play,
  row: KillRow,
  operation: string,
  kill?: Kill,
): Promise<readonly string[]> {
  let effects: readonly string[] = [];
  let isKilled = (): boolean => false;
  await host.call(row.driver, operation, row.about, (sys) => {
    const partOf = (path: string, text: string): string | undefined => scene.partOf?.(path, text, host);
    const process = killable(sys, kill === undefined ? undefined : { ...kill, partOf });
    ({ effects, isKilled } = process);
    return process.sys;
  });
  assertEquals(isKilled(), kill !== undefined, `${row.name}: ${operation} is killed exactly when it must be`);
  return effects;
}

async function release({ host }: Play, row: KillRow): Promise<void> {
  await host.call(row.driver, row.release, row.about);
}

/** libvirtd died with the hook, and starts again: nobody tells it of a release. */
async function reconcile({ host }: Play): Promise<void> {
  host.nodes.delete("/proc/1000/stat");
  host.write(`/proc/${NEXT_DAEMON_PID}/stat`, procStat(NEXT_DAEMON_PID, "libvirtd", 999));
  await host.call("daemon", "start", {}, (sys) => {
    sys.parent.pid = NEXT_DAEMON_PID;
    return sys;
  });
}

async function againAndRelease(play: Play, row: KillRow): Promise<void> {
  const { code, stderr } = await play.host.call(row.driver, row.acquire, row.about);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(play.scene.look(play.host), row.held);
  await release(play, row);
}

const AFTER_ACQUIRE: readonly Sequel[] = [
  { label: "release", play: release },
  { label: "reconcile", play: reconcile },
  { label: "the same again, release", play: againAndRelease },
];
const AFTER_RELEASE: readonly Sequel[] = [
  { label: "release again", play: release },
  { label: "reconcile", play: reconcile },
];

async function assertBack(play: Play, row: KillRow, story: string): Promise<void> {
  assertEquals(play.scene.look(play.host), row.original, story);
  assertEquals(play.host.ledgerFiles().filter((path) => !path.endsWith(".tmp")), [], story);
  // What a killed hook left half written is nobody's, and goes with the next reconcile.
  await play.host.call("daemon", "start");
  assertEquals(play.host.ledgerFiles(), [], story);
}

/** Kills one call at each of its effects; tells at how many. */
async function killEverywhere(
  row: KillRow,
  operation: string,
  { start, sequels }: { readonly start: (row: KillRow) => Promise<Play>; readonly sequels: readonly Sequel[] },
): Promise<number> {
  const effects = await doomedCall(await start(row), row, operation);
  for (const [index, effect] of effects.entries()) {
    for (const moment of MOMENTS) {
      for (const sequel of sequels) {
        const story = `${row.name}: ${operation} killed ${moment} ${effect}, then ${sequel.label}`;
        const play = await start(row);
        await doomedCall(play, row, operation, { at: index + 1, moment });
        try {
          await sequel.play(play, row);
        } catch (error) {
          if (error instanceof Error) error.message = `${story}: ${error.message}`;
          throw error;
        }
        await assertBack(play, row, story);
      }
    }
  }
  return effects.length;
}

/** Twice unlucky: the acquire is killed, and the release that follows it, too. */
async function killTwice(row: KillRow): Promise<number> {
  const effects = await doomedCall(await begun(row), row, row.acquire);
  let pairs = 0;
  for (const [first, acquired] of effects.entries()) {
    for (let second = 1 + first % PAIR_STEP;; second += PAIR_STEP, pairs++) {
      const play = await begun(row);
      await doomedCall(play, row, row.acquire, { at: first + 1, moment: "after" });
      let released = "";
      let isKilled = (): boolean => false;
      await play.host.call(row.driver, row.release, row.about, (sys) => {
        const process = killable(sys, { at: second, moment: "before" });
        ({ isKilled } = process);
        released = `effect ${second}`;
        return process.sys;
      });
      await release(play, row);
      await assertBack(play, row, `${row.name}: acquire killed after ${acquired}, release killed before ${released}`);
      if (!isKilled()) break;
    }
  }
  return pairs;
}

for (const row of KILL_ROWS) {
  Deno.test(`killed anywhere, the host comes back: ${row.name}`, async () => {
    const acquire = await killEverywhere(row, row.acquire, { start: begun, sequels: AFTER_ACQUIRE });
    const released = await killEverywhere(row, row.release, { start: held, sequels: AFTER_RELEASE });
    const twice = await killTwice(row);
    for (const points of [acquire, released, twice]) assert(points > 0, `${row.name}: something can be killed`);
    const line = `kill points of ${row.name}: acquire ${acquire}, release ${released}, in pairs ${twice}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(line));
  });
}

Deno.test("every kind of resource has a row of deaths", async () => {
  const names = Object.keys(RESOURCE_ORDER);
  const loaded = await Promise.all(names.map(async (name) => (await builtinKinds.load(name))?.name));
  const known = loaded.filter((name): name is ResourceName => name !== undefined);
  const covered = new Set(KILL_ROWS.flatMap((row) => row.kinds));
  assertEquals(known.filter((name) => !covered.has(name)), []);
});
