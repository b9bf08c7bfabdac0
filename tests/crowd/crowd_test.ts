/**
 * Fifty hooks at once, on the kernel of this machine: `deno task crowd`. What they hold are three settings that no program
 * misses and a few huge pages; all of it is put back, by the hooks if they are any good, by the test if not.
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import type { Order, Report } from "./crowd.ts";
import { readStanding, writeStanding } from "./host.ts";

const HERE = decodeURIComponent(new URL("./", import.meta.url).pathname);
const HOOKS = decodeURIComponent(new URL(`../../dist/${Deno.build.target}/hooks`, import.meta.url).pathname);

const ORDER: Order = {
  hooks: HOOKS,
  seed: Number(Deno.env.get("VIRT_HOOKS_CROWD_SEED") ?? "1"),
  rounds: Number(Deno.env.get("VIRT_HOOKS_CROWD_ROUNDS") ?? "2"),
  guests: 50,
};

/** Why this machine cannot play a crowd. */
function missing(): string | undefined {
  if (Deno.uid() !== 0) return "it takes root";
  try {
    Deno.statSync(`${HOOKS}/qemu`);
    readStanding();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { success, stderr } = new Deno.Command("unshare", { args: ["--mount", "true"] }).outputSync();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}

/** Plays in folders of its own, under the name that a libvirt daemon has. */
async function play(acts: readonly string[], order: Order): Promise<readonly Report[]> {
  const scratch = await Deno.makeTempDir();
  await Deno.symlink(Deno.execPath(), `${scratch}/libvirtd`);
  const program = [`${scratch}/libvirtd`, "run", "--quiet", "--no-config", "-A", `${HERE}crowd.ts`];
  const lines = acts.map((act) => [...program, act, JSON.stringify(order)].map(shellWord).join(" "));
  try {
    const { stdout, stderr, success } = await new Deno.Command("sh", {
      args: [`${HERE}crowd.sh`, "sh", "-ec", lines.join("\n")],
      ...{ stdin: "null", env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" } },
    }).output();
    if (!success) throw new Error(`Cannot play the crowd: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout).trim().split("\n").map((line): Report => JSON.parse(line));
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function tell(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Whatever becomes of it, the machine is left as it was. */
async function onThisKernel(test: () => Promise<void>): Promise<void> {
  const before = readStanding();
  try {
    await test();
    assertEquals(readStanding(), before);
  } finally {
    writeStanding(before);
  }
}

async function crowd(): Promise<void> {
  await onThisKernel(async () => {
    const [played, reconciled] = await play(["play", "reconcile"], ORDER);
    if (played === undefined || reconciled === undefined) throw new Error("Cannot play the crowd: it says nothing");
    const { calls, killed, refused, samples, longestMs } = played;
    tell(
      `crowd: seed ${ORDER.seed}, ${calls} calls, ${killed} killed, ${refused} refused, ${samples} samples, ` +
        `the longest call took ${Math.round(longestMs)} ms`,
    );
    assertEquals([...played.mistakes, ...reconciled.mistakes], []);
    assert(
      killed > 0 && samples > 0 && refused < calls / 2,
      "Too few were killed, looked at or let in to prove a thing",
    );
  });
}

async function stuckBeside(): Promise<void> {
  await onThisKernel(async () => {
    const [report, reconciled] = await play(["stuck", "reconcile"], ORDER);
    tell(
      `crowd: beside a hook that is stuck elsewhere a call takes ${report?.ratio?.toFixed(2)} times as long as alone`,
    );
    assertEquals([...report?.mistakes ?? ["it says nothing"], ...reconciled?.mistakes ?? []], []);
  });
}

async function sharedTable(): Promise<void> {
  const [played, reconciled] = await play(["forwards", "reconcile"], ORDER);
  tell(
    `crowd: ${played?.calls} calls for one table, ${played?.killed} killed, all had begun after ${
      Math.round(played?.longestMs ?? 0)
    } ms`,
  );
  assertEquals([...played?.mistakes ?? ["it says nothing"], ...reconciled?.mistakes ?? []], []);
  assert((played?.killed ?? 0) > 0, "Nobody was killed, so nothing is proved");
}

const why = missing();
if (why === undefined) {
  Deno.test(
    `${ORDER.guests} hooks at once, some killed: nobody has less than was promised, and all is put back`,
    crowd,
  );
  Deno.test("a hook that is stuck at a resource keeps none waiting that needs another", stuckBeside);
  Deno.test(`${ORDER.guests} guests begin and end with forwarded ports at once, some hooks killed`, sharedTable);
} else if (Deno.env.get("CI") === "true") {
  Deno.test("a crowd of hooks", () => {
    throw new Error(`Cannot play a crowd in CI: ${why}`);
  });
} else {
  tell(`SKIPPED the crowd: ${why}`);
  Deno.test({ name: `a crowd of hooks [SKIPPED, ${why}]`, ignore: true, fn: () => {} });
}
