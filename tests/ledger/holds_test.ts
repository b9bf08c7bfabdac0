/**
 * What `acquire()` makes of several wishes for one resource that cannot all be had.
 * @module
 */
import { hostOf } from "../support/host.ts";
import type { ConvergeContext } from "../../lib/ledger/converge.ts";
import { acquire, type Acquired } from "../../lib/ledger/holds.ts";
import { type ResolvedHold, resolveHold } from "../../lib/ledger/resolve.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { assertEquals } from "../support/assert.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RULES = '[[rule]]\nname = "calm"\nwhen = { domain = "db-*" }\nsysctl = { "vm.swappiness" = 5 }\n';
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };
const LOOK_MS = 1000;

/** Who wants what: the name of a rule, and the value. */
type Wishes = Readonly<Record<string, string>>;

async function resolvedHoldsOf(requests: Wishes, sys: Sys): Promise<readonly ResolvedHold[]> {
  const holder = { kind: "domain", driver: "qemu", uuid: UUID, name: "web-1" } as const;
  const daemon = { pid: 1000, startTime: "777", name: "libvirtd" };
  const resolvedHolds: ResolvedHold[] = [];
  for (const [rule, value] of Object.entries(requests)) {
    const demand = { name: "vm/swappiness", value };
    const request = {
      resource: "sysctl",
      holder,
      rule,
      action: "sysctl",
      lifetime: "domain",
      order: 0,
      demand,
      daemon,
    } as const;
    const resolved = await resolveHold(request, { plan: [], former: [], isRunning: false }, hostOf(sys));
    if (resolved.kind === "ready") resolvedHolds.push(resolved);
  }
  return resolvedHolds;
}

/** Acquires on a host where each look at the resource takes a second. */
async function acquireSlowly(
  requests: Wishes,
  { host, budgetMs }: { readonly host: LedgerHost; readonly budgetMs: number },
): Promise<readonly Acquired[]> {
  const memory = host.sys();
  const resolvedHolds = await resolvedHoldsOf(requests, memory);
  const read: Sys["kernel"]["read"] = (paths) => {
    memory.clock.elapsedMs += LOOK_MS;
    return memory.kernel.read(paths);
  };
  const sys: Sys = { ...memory, kernel: { ...memory.kernel, read } };
  const work: ConvergeContext = { ...hostOf(sys), notes: [], deadlineMs: sys.elapsedMs() + budgetMs, mayWait: true };
  return await acquire(resolvedHolds, [], work);
}

async function hostOfOther(): Promise<LedgerHost> {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n" } });
  await host.call("qemu", "prepare", OTHER);
  return host;
}

const CONFLICT = /guest "db-1" \(rule "calm"\)/;

Deno.test("acquire() leaves out the holds that conflict and acquires the others", async () => {
  const acquired = await acquireSlowly({ a: "1", b: "5", c: "1" }, { host: await hostOfOther(), budgetMs: 60_000 });
  assertEquals(acquired.map(({ converged: { end }, stored }) => [end, stored !== undefined]), [
    ["failed", false],
    ["unchanged", true],
    ["failed", false],
  ]);
});

Deno.test("acquire() tries nothing more after its deadline, and names the conflict", async () => {
  const host = await hostOfOther();
  const before = host.ledgerFiles();
  const acquired = await acquireSlowly({ a: "1", b: "1", c: "5" }, { host, budgetMs: 1.5 * LOOK_MS });
  assertEquals(acquired.map(({ converged: { end, problem = "" } }) => [end, CONFLICT.test(problem)]), [
    ["failed", true],
    ["failed", true],
    ["late", true],
  ]);
  assertEquals([host.ledgerFiles(), host.text(SWAPPINESS)], [before, "5"]);
});
