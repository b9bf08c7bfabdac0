/** What `explain` tells of holds: what is now, what would be, and what the hook would refuse. */
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RATIO = "/proc/sys/vm/dirty_ratio";
const FILES = { [SWAPPINESS]: "60\n", [RATIO]: "20\n" };
const DB_UUID = "99999999-2222-4333-8444-555555555555";

function rules(sysctl: string): string {
  return `[[rule]]\nname = "calm"\nwhen = { domain = "*" }\nsysctl = { ${sysctl} }\n`;
}

function makeHost(): LedgerHost {
  return ledgerHost(rules('"vm.swappiness" = 1'), { files: FILES });
}

function domain(name: string, uuid: string): string {
  return `<domain>\n<name>${name}</name>\n<uuid>${uuid}</uuid>\n</domain>\n`;
}

/** What stands behind `plan:`, on a host that explaining must leave as it is. */
async function plan(host: LedgerHost, args: readonly string[], stdin = ""): Promise<readonly string[]> {
  const before = snapshot(host);
  const { lines } = await admin(host, ["explain", "qemu", ...args], { stdin });
  assertEquals(snapshot(host), before);
  return lines.slice(lines.indexOf("plan:") + 1);
}

const HOLD = '  hold  sysctl vm.swappiness = 1, until the guest is gone; a failure fails the call  (rule "calm")';

Deno.test("explain tells what a hold changes, without a ledger and without making one", async () => {
  assertEquals(await plan(makeHost(), ["web-1", "prepare"]), [HOLD, "        now sysctl/vm/swappiness: 60 → 1"]);
});

Deno.test("explain tells of what stays, as another holds it too", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  assertEquals(await plan(host, ["db-1", "prepare"], domain("db-1", DB_UUID)), [
    HOLD,
    "        now sysctl/vm/swappiness: stays 1",
  ]);
});

Deno.test("explain says so where it must guess who it is", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  assertEquals(
    (await plan(host, ["db-1", "prepare"])).at(-1),
    "  no XML given: assuming that it holds nothing yet",
  );
});

Deno.test("explain shows the refusal that the hook would give, and checks the other holds too", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  host.write("/etc/virt-hooks/rules.toml", rules('"vm.swappiness" = 5, "vm.dirty_ratio" = 5'));
  const document = domain("db-1", DB_UUID);
  const lines = await plan(host, ["db-1", "prepare"], document);
  const refusal =
    'cannot hold sysctl vm.swappiness = 5: guest "web-1" (rule "calm") wants 1, guest "db-1" (rule "calm") wants 5';
  assertEquals([lines[1], lines[3], lines.at(-1)], [
    `        would fail: ${refusal}`,
    "        now sysctl/vm/dirty_ratio: 20 → 5",
    "  1 problem: the call would fail and hold nothing",
  ]);
  const answer = await host.call("qemu", "prepare", { name: "db-1", uuid: DB_UUID });
  assertEquals(answer.stderr.split("\n")[0], `virt-hooks: rule "calm": ${refusal}`);
});

Deno.test("explain tells what an earlier life left, and what is given back first", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  host.write("/etc/virt-hooks/rules.toml", rules('"vm.dirty_ratio" = 5'));
  const lines = await plan(host, ["web-1", "prepare"], domain("web-1", UUID));
  assertEquals(lines.slice(1), [
    "        now sysctl/vm/dirty_ratio: 20 → 5",
    "  first restores what it still holds: sysctl/vm/swappiness: 1 → 60, as before",
  ]);
  const answer = await host.call("qemu", "prepare");
  assertEquals([answer.code, host.text(SWAPPINESS), host.text(RATIO)], [0, "60", "5"]);
  const [held] = JSON.parse(JSON.stringify(answer.history["holds"]));
  assertEquals(held, { resource: "sysctl/vm/swappiness", end: "restored", change: { from: "1", to: "60" } });
});

const KEPT = [
  { operation: "release", told: "restores sysctl/vm/swappiness: 1 → 60, as before" },
  { operation: "reconnect", told: "ensures sysctl/vm/swappiness: stays 1" },
  { operation: "stopped", told: "it holds nothing" },
];

for (const { operation, told } of KEPT) {
  Deno.test(`explain tells at ${operation} what is in the ledger, by name or by document`, async () => {
    const host = makeHost();
    await host.call("qemu", "prepare");
    assertEquals((await plan(host, ["web-1", operation])).at(-1), `  ${told}`);
    assertEquals((await plan(host, ["any", operation], domain("web-1", UUID))).at(-1), `  ${told}`);
    assertEquals((await plan(host, ["db-1", operation])).at(-1), "  it holds nothing");
  });
}

Deno.test("explain says plainly what only root can see, and explains the rest", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  const { code, lines } = await admin(host, ["explain", "qemu", "web-1", "prepare"], { uid: 1000 });
  assertEquals([code, lines.slice(-2)], [0, [
    HOLD,
    "  run as root to see the current values and what would change",
  ]]);
});

Deno.test("explain tells of a ledger that cannot be used", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  host.nodes.set("/run/virt-hooks", { kind: "directory", text: "", uid: 1000, mode: 0o755 });
  assertEquals(
    (await plan(host, ["web-1", "prepare"])).at(-1),
    "  nothing can be held: Cannot use /run/virt-hooks: it must be a folder that only root can write",
  );
});
