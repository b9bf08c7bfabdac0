/**
 * The test command: `deno task test` runs every stage, `ok`, `unit`, `stress` and `e2e` run some. Ends with one line of counts.
 * With `CI=true` a skipped test is a failure: something that the run needs is missing.
 * @module
 */
import { type Counts, readCounts, readIgnored } from "./support/test_output.ts";

interface Stage {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** Whether `deno test` counts its own tests; otherwise the stage counts as one. */
  readonly counts: boolean;
}

/** The lock file is named here, since naming it in deno.json would make every task wait for packages that it may not need. */
const LOCKED = ["--lock=deno.lock", "--frozen"];

const UNIT = [
  "actions",
  "app",
  "cli",
  "config",
  "ledger",
  "libvirt",
  "net",
  "plan",
  "resources",
  "rules",
  "sys",
  "trust",
  "xml",
].map((
  room,
) => `tests/${room}`);

const STAGES = {
  format: { name: "format", args: ["fmt", "--check", "--quiet"], counts: false },
  lint: { name: "lint", args: ["lint", "--quiet"], counts: false },
  check: { name: "type check", args: ["check", "--quiet", ...LOCKED, "."], counts: false },
  unit: {
    name: "unit",
    args: ["test", "-A", ...LOCKED, "--no-check", ...UNIT, "tests/lint"],
    counts: true,
  },
  build: { name: "build", args: ["run", "-A", ...LOCKED, "--no-check", "build/main.ts"], counts: false },
  buildTests: { name: "build's own tests", args: ["test", "-A", ...LOCKED, "--no-check", "tests/build"], counts: true },
  golden: {
    name: "golden stories (compiled)",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/golden", "tests/support"],
    counts: true,
  },
  stress: {
    name: "many hooks at once (compiled, on this kernel)",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/stress"],
    counts: true,
  },
  examples: {
    name: "examples and documentation",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/examples", "tests/docs"],
    counts: true,
  },
  install: {
    name: "install.sh",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/install"],
    counts: true,
  },
  e2e: { name: "end to end (real libvirtd)", args: ["test", "-A", ...LOCKED, "--no-check", "tests/e2e"], counts: true },
  systemd: {
    name: "systemd (nspawn, and a guest)",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/systemd"],
    counts: true,
  },
  passthrough: {
    name: "passthrough (a guest with an IOMMU)",
    args: ["test", "-A", ...LOCKED, "--no-check", "tests/passthrough"],
    counts: true,
  },
} as const satisfies Record<string, Stage>;

const { format, lint, check, unit, build, buildTests, golden, stress, examples, install, e2e, systemd, passthrough } =
  STAGES;

/** What each word on the command line runs. */
const RUNS: Readonly<Record<string, readonly Stage[]>> = {
  all: [format, lint, check, unit, build, buildTests, golden, stress, examples, install, e2e, systemd, passthrough],
  ok: [format, lint, check, unit],
  unit: [unit],
  e2e: [build, e2e, systemd, passthrough],
  systemd: [build, systemd],
  passthrough: [build, passthrough],
  stress: [build, stress],
};

interface Result extends Counts {
  readonly stage: Stage;
  readonly output: string;
  readonly ignored: readonly string[];
}

async function runStage(stage: Stage): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...stage.args],
    cwd: decodeURIComponent(new URL("..", import.meta.url).pathname),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const output = `${decoder.decode(stdout)}${decoder.decode(stderr)}`;
  const whole: Counts = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  const counted = stage.counts ? readCounts(output) : whole;
  // A run that ended badly without a count, or with a count that knows of no failure, is a failure all the same.
  const counts = counted === undefined || (code !== 0 && counted.failed === 0)
    ? { ...whole, ...counted, failed: 1 }
    : counted;
  return { stage, output, ignored: readIgnored(output), ...counts };
}

function show(result: Result, seconds: number): void {
  const skipped = result.skipped === 0 ? "" : `, ${result.skipped} skipped`;
  const mark = result.failed === 0 ? "ok  " : "FAIL";
  say(
    `${mark}  ${result.stage.name}: ${result.passed} passed, ${result.failed} failed${skipped} (${
      seconds.toFixed(1)
    } s)`,
  );
  for (const name of result.ignored) say(`      SKIPPED: ${name}`);
  if (result.failed > 0) say(result.output.trimEnd());
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main([word = "all"]: readonly string[]): Promise<number> {
  const stages = RUNS[word];
  if (stages === undefined) {
    say(`Cannot run "${word}": the runs are ${Object.keys(RUNS).join(", ")}`);
    return 2;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const stage of stages) {
    const startedMs = performance.now();
    const result = await runStage(stage);
    show(result, (performance.now() - startedMs) / 1000);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
    // Everything behind the build needs its binaries.
    if (stage === build && result.failed > 0) break;
  }
  const isCi = Deno.env.get("CI") === "true";
  if (isCi && total.skipped > 0) say("Tests were skipped: with CI=true that is a failure");
  say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 || (isCi && total.skipped > 0) ? 1 : 0;
}

Deno.exit(await main(Deno.args));
