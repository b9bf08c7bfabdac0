/**
 * A network namespace for a test, with the real packet filter.
 * @module
 */
import { splitFiles } from "../../../lib/sys/deno_kernel.ts";
import { denoSys } from "../../../lib/sys/deno_sys.ts";
import type { CommandResult, Sys } from "../../../lib/sys/sys.ts";
import type { Kernel } from "../../../lib/sys/kernel.ts";
import { TOOL_ENVIRONMENT, TOOLS } from "../../../lib/sys/tools.ts";
import { until } from "../../e2e/until.ts";

/** A network namespace. */
export interface Namespace extends AsyncDisposable {
  /** A `Sys` that runs every program in the namespace. */
  readonly sys: Sys;
  /** Runs a program that must succeed; returns what it prints. */
  must(argv: readonly [string, ...string[]], stdin?: string): Promise<string>;
}

const TIMEOUT_MS = 20_000;

/** Creates a namespace. It ends when it is disposed of, or with this process. */
export async function openNamespace(): Promise<Namespace> {
  const child = new Deno.Command("/usr/bin/unshare", {
    args: ["--net", "/usr/bin/cat"],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const own = Deno.readLinkSync("/proc/self/ns/net");
  await until("the namespace", () => Deno.readLinkSync(`/proc/${child.pid}/ns/net`) !== own);
  const outside = denoSys();
  const run: Sys["run"] = (command) =>
    outside.run({ ...command, argv: ["/usr/bin/nsenter", `--net=/proc/${child.pid}/ns/net`, "--", ...command.argv] });
  const read: Kernel["read"] = async (paths) =>
    splitFiles((await run(commandOf([TOOLS.head, "-v", "--", ...paths], undefined))).stdout, paths);
  const sys: Sys = { ...outside, run, kernel: { ...outside.kernel, read } };
  async function must(argv: readonly [string, ...string[]], stdin?: string): Promise<string> {
    return succeeded(argv, await sys.run(commandOf(argv, stdin)));
  }
  // Without IP forwarding no forward works.
  for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]) {
    await must(["/usr/sbin/sysctl", "-q", "-w", `${key}=1`]);
  }
  return {
    sys,
    must,
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close();
      await child.status;
    },
  };
}

function commandOf(argv: readonly [string, ...string[]], stdin: string | undefined): Parameters<Sys["run"]>[0] {
  return {
    argv,
    environment: TOOL_ENVIRONMENT,
    stdin: stdin === undefined ? undefined : new TextEncoder().encode(stdin),
    timeoutMs: TIMEOUT_MS,
    outputBytesMax: 64 * 1024 * 1024,
  };
}

function succeeded(argv: readonly string[], { end, stdout, stderr }: CommandResult): string {
  if (end.kind === "exited" && end.code === 0) return stdout;
  throw new Error(`Cannot go on without ${argv.join(" ")}: ${JSON.stringify(end)}: ${stderr}`);
}

function missing(): string | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "not root on Linux";
  for (const program of ["/usr/sbin/nft", "/usr/sbin/iptables", "/usr/sbin/ip6tables", "/usr/bin/nsenter"]) {
    if (!isThere(program)) return `no ${program} (Debian packages nftables, iptables, util-linux)`;
  }
  const { success } = new Deno.Command("/usr/bin/unshare", { args: ["--net", "/usr/sbin/nft", "list", "ruleset"] })
    .outputSync();
  return success ? undefined : "a network namespace with a packet filter is refused";
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const MISSING = missing();

/** Registers a test that needs a namespace. A test that cannot get one reports it, and fails in CI. */
export function filterTest(name: string, play: (namespace: Namespace, t: Deno.TestContext) => Promise<void>): void {
  const isSkipped = MISSING !== undefined && Deno.env.get("CI") !== "true";
  if (isSkipped) Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED "${name}": ${MISSING}\n`));
  Deno.test({
    name: isSkipped ? `${name} [SKIPPED, ${MISSING}]` : name,
    ignore: isSkipped,
    fn: async (t) => {
      await using namespace = await openNamespace();
      await play(namespace, t);
    },
  });
}
