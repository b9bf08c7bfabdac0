/**
 * `deno task bench`: what a hook costs, as ratios to a program that does nothing and was compiled the same way. Everything
 * is measured in one private root and in one run: times of different runs or machines say little about each other.
 * @module
 */
// @ts-types="../../build/std.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import * as v from "valibot";
import { build } from "../../build/build.ts";
import { BuildError, UsageError } from "../../build/build_error.ts";
import { progressLine } from "../../build/progress.ts";
import { hostTarget } from "../../build/target.ts";
import { openPrivateRoot, type PrivateRoot } from "../../lib/story/private_root.ts";
import { type Case, caseDocument, caseFiles, CASES } from "./cases.ts";
import { FORWARD_CASES } from "./forward_cases.ts";
import { compileEmpty, contendersOf, HERE, missingInterpreters, programBinds, readAfresh, ROOT } from "./contenders.ts";
import type { Measured, Order } from "./measure.ts";
import { type CaseResult, compare, isNoisy, table } from "./report.ts";

const GUEST = Deno.readTextFileSync(`${HERE}guest.xml`);
const ROUNDS = 60;
const WARM_UP_ROUNDS = 5;
const MEMORY_ROUNDS = 5;
/** Of the calls of other cases, so many are made where many are made at once. */
const AT_ONCE_SHARE = 5;
const CASE_LIMIT_MS = 600_000;

/** What a daemon under systemd hands on. */
const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" } as const;

const MEASURED = v.array(v.object({
  name: v.string(),
  durationsMs: v.array(v.number()),
  memoryKb: v.optional(v.number()),
}));

const USAGE = `Usage: deno task bench [--rounds N] [--only TEXT]

Measures the qemu hook against an empty program, bash and Python; writes dist/bench.json.

  --rounds N   how often each program is called in each case (default: ${ROUNDS})
  --only TEXT  only the cases whose names hold this
`;

/** Runs the command and returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { help, rounds: given = String(ROUNDS), only: part = "", _: rest, ...unknown } = parseArgs(args, {
    string: ["rounds", "only"],
    boolean: ["help"],
  });
  const [rounds, only] = [Number(given), String(part)];
  if (
    help === true || rest.length > 0 || Object.keys(unknown).length > 0 || !(Number.isInteger(rounds) && rounds > 0)
  ) {
    print(USAGE);
    return help === true ? 0 : 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-bench-" });
  try {
    return await bench({ rounds, only }, folder);
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof UsageError)) throw error;
    print(`error: ${error.message}\nhint: ${error.hint}\n`);
    return 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function bench(
  { rounds, only }: { readonly rounds: number; readonly only: string },
  folder: string,
): Promise<number> {
  const [built] = await build({
    root: ROOT,
    targets: [hostTarget()],
    denort: Deno.env.get("DENORT_BIN"),
    onProgress: (event) => {
      const line = progressLine(event);
      if (line !== undefined) print(`${line}\n`);
    },
  });
  const hook = `${built?.folder}/hooks/qemu`;
  const empty = await compileEmpty("empty", folder);
  const exiting = await compileEmpty("exiting", folder);
  const emptyCopy = `${folder}/empty-copy`;
  await Deno.copyFile(empty, emptyCopy);
  const programs = { hook, empty, emptyCopy, exiting };
  if (!await readAfresh(programs)) print("The programs stay in the kernel's cache as they were: dd cannot drop them\n");
  const opened = await openPrivateRoot(programBinds(programs));
  if (opened.kind === "refused") {
    print(`error: Cannot measure: this machine gives no private root: ${opened.reason}\n`);
    return 1;
  }
  await using root = opened.root;
  const machine = describeMachine();
  print(`${machine.cpu}, ${machine.cpus} CPUs, Linux ${machine.kernel}, Deno ${machine.deno}; ${rounds} rounds\n`);
  for (const path of missingInterpreters()) print(`Left out: what needs ${path}, as it is not here\n`);
  const cases: CaseResult[] = [];
  for (const each of [...CASES, ...FORWARD_CASES].filter(({ name }) => name.includes(only))) {
    const result = { name: each.name, goal: each.goal, results: compare(await measureCase(each, rounds, root)) };
    print(`\n${table(result).join("\n")}\n`);
    cases.push(result);
  }
  const report = { datetime: new Date().toISOString(), machine, rounds, cases };
  await Deno.writeTextFile(`${ROOT}/dist/bench.json`, `${JSON.stringify(report, null, 2)}\n`);
  if (cases.some(({ results }) => isNoisy(results))) {
    print("\nThis machine was busy with other things: measure again when it is quiet, or with more --rounds.\n");
  }
  print(
    "\nRatios are to the first of each table in the same round; a tenth of the rounds was as fast as under fastest.\n",
  );
  print(`Written: ${ROOT}/dist/bench.json\n`);
  return 0;
}

async function measureCase(each: Case, rounds: number, root: PrivateRoot): Promise<readonly Measured[]> {
  await root.sh(`rm -f /etc/virt-hooks/rules.toml\nmkdir -p /etc/alternatives\n${nameIptables()}`);
  const order: Order = {
    contenders: contendersOf(each),
    environment: ENVIRONMENT,
    stdinPath: "/bench/guest.xml",
    warmUpRounds: each.atOnce === undefined && each.roundShare === undefined ? WARM_UP_ROUNDS : 1,
    rounds: Math.ceil(
      rounds / (each.roundShare ?? 1) / (each.atOnce ?? 1) * (each.atOnce === undefined ? 1 : AT_ONCE_SHARE),
    ),
    memoryRounds: each.atOnce !== undefined ? 0 : each.roundShare === undefined ? MEMORY_ROUNDS : 1,
    atOnce: each.atOnce ?? 1,
  };
  await root.place([
    ...caseFiles(each),
    { kind: "file", path: "/bench/guest.xml", mode: "0644", content: caseDocument(GUEST, each) },
    { kind: "file", path: "/bench/order.json", mode: "0644", content: JSON.stringify(order) },
  ]);
  await root.sh(each.setUp ?? ":");
  const { exitCode, stdout, stderr } = await root.run({
    argv: ["/bench/deno", "run", "--quiet", "--no-config", "--allow-all", "/bench/measure.ts", "/bench/order.json"],
    environment: { ...ENVIRONMENT, HOME: "/tmp", DENO_DIR: "/tmp/deno", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    limitMs: CASE_LIMIT_MS,
  });
  await root.sh(each.takeDown ?? ":");
  if (exitCode !== 0) throw new Error(`Cannot measure "${each.name}": ${new TextDecoder().decode(stderr)}`);
  return v.parse(MEASURED, JSON.parse(new TextDecoder().decode(stdout))).map((measured) => ({
    ...measured,
    memoryKb: measured.memoryKb,
  }));
}

/** The private root's `/etc` is empty, and Debian's names for these lead through it. */
function nameIptables(): string {
  const lines = ["iptables", "ip6tables"].map((name) => {
    const path = `/usr/sbin/${name}`;
    try {
      const [target, link] = [Deno.realPathSync(path), Deno.readLinkSync(path)];
      return link.startsWith("/etc/alternatives/") ? `ln -sf ${target} ${link}\n` : "";
    } catch {
      return "";
    }
  });
  return lines.join("");
}

function describeMachine(): Readonly<Record<"cpu" | "kernel" | "deno", string>> & { readonly cpus: number } {
  const [, cpu = Deno.build.arch] = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo")) ?? [];
  return { cpu, cpus: navigator.hardwareConcurrency, kernel: Deno.osRelease(), deno: Deno.version.deno };
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
