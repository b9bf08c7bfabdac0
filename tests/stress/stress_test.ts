/**
 * Runs fifty hooks at once on the kernel of this machine: `deno task test stress`. They hold three settings that no program depends on
 * and a few huge pages. The hooks restore everything; if they fail, the test does.
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import type { Order, Report } from "./stress.ts";
import { readValues, restoreValues } from "./host.ts";

const HERE = decodeURIComponent(new URL("./", import.meta.url).pathname);
const HOOKS = decodeURIComponent(new URL(`../../dist/${Deno.build.target}/hooks`, import.meta.url).pathname);

const ORDER: Order = {
  hooks: HOOKS,
  seed: Number(Deno.env.get("VIRT_HOOKS_STRESS_SEED") ?? "1"),
  rounds: Number(Deno.env.get("VIRT_HOOKS_STRESS_ROUNDS") ?? "2"),
  guests: 50,
};

/** The reason that this machine cannot run the stress test. */
function missing(): string | undefined {
  if (Deno.uid() !== 0) return "it requires root";
  try {
    Deno.statSync(`${HOOKS}/qemu`);
    readValues();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { success, stderr } = new Deno.Command("unshare", { args: ["--mount", "true"] }).outputSync();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}

/** Runs the phases with private folders, in a process named as a libvirt daemon. */
async function runPhases(phases: readonly string[], order: Order): Promise<readonly Report[]> {
  const scratch = await Deno.makeTempDir();
  await Deno.symlink(Deno.execPath(), `${scratch}/libvirtd`);
  const program = [`${scratch}/libvirtd`, "run", "--quiet", "--no-config", "-A", `${HERE}stress.ts`];
  const lines = phases.map((phase) => [...program, phase, JSON.stringify(order)].map(shellWord).join(" "));
  try {
    const { stdout, stderr, success } = await new Deno.Command("sh", {
      args: [`${HERE}stress.sh`, "sh", "-ec", lines.join("\n")],
      ...{ stdin: "null", env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" } },
    }).output();
    if (!success) throw new Error(`Cannot run the stress test: ${new TextDecoder().decode(stderr)}`);
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

/** Runs a test and restores the settings of the machine afterwards. */
async function onThisKernel(test: () => Promise<void>): Promise<void> {
  const before = readValues();
  try {
    await test();
    assertEquals(readValues(), before);
  } finally {
    restoreValues(before);
  }
}

async function guestsAtOnce(): Promise<void> {
  await onThisKernel(async () => {
    const [played, reconciled] = await runPhases(["play", "reconcile"], ORDER);
    if (played === undefined || reconciled === undefined) {
      throw new Error("Cannot run the stress test: it prints no report");
    }
    const { calls, killed, refused, samples, longestMs } = played;
    tell(
      `stress: seed ${ORDER.seed}, ${calls} calls, ${killed} killed, ${refused} refused, ${samples} samples, ` +
        `the longest call took ${Math.round(longestMs)} ms`,
    );
    assertEquals([...played.mistakes, ...reconciled.mistakes], []);
    assert(
      killed > 0 && samples > 0 && refused < calls / 2,
      "Too few hooks were killed, sampled or accepted for the test to be meaningful",
    );
  });
}

async function stuckBeside(): Promise<void> {
  await onThisKernel(async () => {
    const [report, reconciled] = await runPhases(["stuck", "reconcile"], ORDER);
    tell(
      `stress: while another hook waits for a different resource, a call takes ${
        report?.ratio?.toFixed(2)
      } times as long as alone`,
    );
    assertEquals([...report?.mistakes ?? ["it prints no report"], ...reconciled?.mistakes ?? []], []);
  });
}

async function sharedTable(): Promise<void> {
  const [played, reconciled] = await runPhases(["forwards", "reconcile"], ORDER);
  tell(
    `stress: ${played?.calls} calls for one table, ${played?.killed} killed, all had started after ${
      Math.round(played?.longestMs ?? 0)
    } ms`,
  );
  assertEquals([...played?.mistakes ?? ["it prints no report"], ...reconciled?.mistakes ?? []], []);
  assert((played?.killed ?? 0) > 0, "No hook was killed: the test is not meaningful");
}

const why = missing();
if (why === undefined) {
  Deno.test(
    `${ORDER.guests} hooks at once, some killed: each guest has what it was granted, and all values are restored`,
    guestsAtOnce,
  );
  Deno.test("a hook that waits for a resource does not delay a hook that needs another", stuckBeside);
  Deno.test(`${ORDER.guests} guests start and end with forwarded ports at once, some hooks killed`, sharedTable);
} else if (Deno.env.get("CI") === "true") {
  Deno.test("fifty hooks at once", () => {
    throw new Error(`Cannot run the stress test in CI: ${why}`);
  });
} else {
  tell(`SKIPPED the stress test: ${why}`);
  Deno.test({ name: `fifty hooks at once [SKIPPED, ${why}]`, ignore: true, fn: () => {} });
}
