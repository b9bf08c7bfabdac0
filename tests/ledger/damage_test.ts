/**
 * Whatever stands in the place of a file of the ledger: no call hangs, none throws, a release does all that can still be
 * done, and what cannot be done is told.
 * @module
 */
import type { MemoryNode } from "../../lib/sys/memory_sys.ts";
import { admin, snapshot } from "../support/admin.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const DIRTY = "/proc/sys/vm/dirty_ratio";
const RULES = '[[rule]]\nname = "all"\nwhen = { domain = "*" }\n' +
  'sysctl = { "vm.swappiness" = 1, "vm.dirty_ratio" = 5 }\n';
const LEDGER = "/run/virt-hooks/ledger";

const MISFITS = {
  "a FIFO": { kind: "other", text: "" },
  "a link": { kind: "symlink", text: "/etc/passwd" },
  "a folder": { kind: "directory", text: "" },
  "no JSON": { kind: "file", text: "{" },
  "nothing in it": { kind: "file", text: "" },
  "JSON of no format": { kind: "file", text: "{}" },
  "JSON of our format that says nothing": { kind: "file", text: '{"format":1}' },
  "JSON of another version": { kind: "file", text: '{"format":2}' },
} as const satisfies Record<string, Pick<MemoryNode, "kind" | "text">>;

/** The resource folder of swappiness: the one whose state has that key. */
function swappinessFolder(host: LedgerHost): string {
  const [path = ""] =
    Object.entries(host.tree(LEDGER)).find(([path, text]) =>
      path.endsWith("/state.json") && text.includes("vm/swappiness")
    ) ?? [];
  return path.slice(0, -"/state.json".length);
}

/** The paths of the ledger, by what they are. */
const PLACES: Readonly<Record<string, (host: LedgerHost) => string>> = {
  "a demand": (host) => {
    const demands = `${swappinessFolder(host)}/demands/`;
    return [...host.nodes.keys()].find((path) => path.startsWith(demands)) ?? "";
  },
  "the demands": (host) => `${swappinessFolder(host)}/demands`,
  "a state": (host) => `${swappinessFolder(host)}/state.json`,
  "a resource's lock": (host) => `${swappinessFolder(host)}/lock`,
  "the guest's lock": (host) => {
    const own = [...host.nodes.keys()].find((path) => /demands\/h-/.test(path)) ?? "";
    return `${LEDGER}/holders/${/h-([0-9a-f]+)-/.exec(own)?.[1]}.lock`;
  },
  "the guest's mark": (host) => {
    const own = [...host.nodes.keys()].find((path) => /demands\/h-/.test(path)) ?? "";
    return `${LEDGER}/holders/${/h-([0-9a-f]+)-/.exec(own)?.[1]}.running`;
  },
  "the damaged": () => `${LEDGER}/damaged`,
};

function put(host: LedgerHost, path: string, node: Pick<MemoryNode, "kind" | "text">): void {
  for (const inside of [...host.nodes.keys()].filter((each) => each.startsWith(`${path}/`))) host.nodes.delete(inside);
  host.nodes.set(path, { uid: 0, mode: 0o600, ...node });
}

async function damaged(place: string, node: Pick<MemoryNode, "kind" | "text">): Promise<LedgerHost> {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n", [DIRTY]: "20\n" } });
  await host.call("qemu", "prepare");
  const path = PLACES[place]?.(host) ?? "";
  assert(path.startsWith(LEDGER), place);
  put(host, path, node);
  return host;
}

for (const place of Object.keys(PLACES)) {
  for (const [problem, node] of Object.entries(MISFITS)) {
    Deno.test(`in place of ${place} there is ${problem}: the rest is put back all the same`, async () => {
      const host = await damaged(place, node);
      const { code, history } = await host.call("qemu", "release");
      assertEquals([code, history["outcome"] === "bug"], [0, false]);
      assertEquals(host.text(DIRTY), "20");
      // Where the demand or its lock are beyond reading, nothing is guessed; where they are not, nothing stays.
      const isPutBack = host.text(SWAPPINESS) === "60";
      const isTold = JSON.stringify([history["notes"] ?? [], history["holds"] ?? []]).includes(LEDGER);
      assert(isPutBack || isTold, JSON.stringify(history));
      for (const operation of ["prepare", "started", "reconnect", "stopped", "release"]) {
        const again = await host.call("qemu", operation);
        assert(again.history["outcome"] !== "bug", `${operation}: ${JSON.stringify(again.history)}`);
      }
      assertEquals(host.text(DIRTY), "20");
    });
  }
}

for (const problem of ["a FIFO", "a link", "a folder"] as const) {
  Deno.test(`in place of a resource's lock there is ${problem}: it is set aside, and the resource is put back`, async () => {
    const host = await damaged("a resource's lock", MISFITS[problem]);
    const { history } = await host.call("qemu", "release");
    assertStringIncludes(
      JSON.stringify(history["notes"]),
      "/lock cannot be read (it is not a regular file): it is now",
    );
    assertEquals([host.text(SWAPPINESS), host.text(DIRTY), host.ledgerFiles()], ["60", "20", []]);
    assertEquals((await host.call("qemu", "prepare")).code, 0);
  });
}

for (const [problem, node] of [...Object.entries(MISFITS), ["nothing at all", undefined] as const]) {
  Deno.test(`a ledger whose boot is told by ${problem} is of this boot: nothing is lost, and it says so again`, async () => {
    const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n", [DIRTY]: "20\n" } });
    await host.call("qemu", "prepare");
    const boot = `${LEDGER}/boot`;
    if (node === undefined) host.nodes.delete(boot);
    else put(host, boot, node);
    const before = snapshot(host);
    const status = await admin(host, ["status"]);
    const checked = await admin(host, ["check", "--host"]);
    assertEquals([status.code, snapshot(host)], [1, before]);
    for (const { lines } of [status, checked]) assert(lines.some((line) => line.includes(boot)), lines.join("\n"));
    const released = await host.call("qemu", "release");
    assertStringIncludes(JSON.stringify(released.history["notes"]), boot);
    assertEquals([host.text(SWAPPINESS), host.text(DIRTY), host.ledgerFiles()], ["60", "20", []]);
    const again = await host.call("qemu", "prepare");
    assertEquals([again.code, again.history["notes"], host.text(SWAPPINESS)], [0, undefined, "1"]);
  });
}

Deno.test("a demand of another version's leaves the other guest's release by hand possible", async () => {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n", [DIRTY]: "20\n" } });
  await host.call("qemu", "prepare");
  const newer = `${swappinessFolder(host)}/demands/h-00000000000000000000000000000000-1.json`;
  put(host, newer, MISFITS["JSON of another version"]);
  const { code, lines } = await admin(host, ["release", "web-1", "--yes"]);
  assertStringIncludes(lines.join("\n"), "another version of virt-hooks wrote it");
  // Nobody knows what the other one wants of the one key; the other key is put back, and the guest holds nothing.
  assertEquals([code, host.text(SWAPPINESS), host.text(DIRTY)], [4, "1", "20"]);
  assertEquals(host.ledgerFiles().filter((path) => path.includes("/demands/")).length, 1);
});

Deno.test("what another version of virt-hooks wrote is left where it is, and told", async () => {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n", [DIRTY]: "20\n" } });
  await host.call("qemu", "prepare");
  const state = `${swappinessFolder(host)}/state.json`;
  put(host, state, MISFITS["JSON of another version"]);
  const { stderr } = await host.call("qemu", "release");
  assertStringIncludes(stderr, "another version of virt-hooks wrote it");
  assertEquals([host.text(SWAPPINESS), host.text(state)], ["1", MISFITS["JSON of another version"].text]);
});

const FOLDER_MISFITS = [
  ...Object.entries(MISFITS).filter(([, { kind }]) => kind !== "directory"),
  [
    "nothing at all",
    undefined,
  ] as const,
];

for (const folder of ["resources", "holders", "damaged"]) {
  for (const [problem, node] of FOLDER_MISFITS) {
    Deno.test(`in place of the folder ${folder} there is ${problem}: it is told, made anew, and guests start`, async () => {
      const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n", [DIRTY]: "20\n" } });
      await host.call("qemu", "prepare");
      await host.call("qemu", "release");
      const path = `${LEDGER}/${folder}`;
      for (const inside of [...host.nodes.keys()].filter((each) => each.startsWith(path))) host.nodes.delete(inside);
      if (node !== undefined) put(host, path, node);
      const before = snapshot(host);
      const status = await admin(host, ["status"]);
      assertEquals([status.code, snapshot(host)], [1, before]);
      assertStringIncludes(status.lines.join("\n"), `${path} is missing or not a folder`);
      const prepared = await host.call("qemu", "prepare");
      assertEquals([prepared.code, host.text(SWAPPINESS)], [0, "1"]);
      assertStringIncludes(JSON.stringify(prepared.history["notes"]), `${path} is missing or not a folder`);
      const released = await host.call("qemu", "release");
      assertEquals([released.history["notes"], host.text(SWAPPINESS), host.ledgerFiles()], [undefined, "60", []]);
    });
  }
}

for (const problem of ["a FIFO", "a link", "a folder"] as const) {
  Deno.test(`in place of the guest's lock there is ${problem}: it is set aside, and the next start succeeds`, async () => {
    const host = await damaged("the guest's lock", MISFITS[problem]);
    const released = await host.call("qemu", "release");
    assertStringIncludes(JSON.stringify(released.history["notes"]), "it is not a regular file): it is now");
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
    const again = await host.call("qemu", "prepare");
    assertEquals([again.code, again.history["notes"]], [0, undefined]);
  });
}

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

Deno.test("where a state is damaged the original is unknown: told by every command, never guessed, and left at the end", async () => {
  const host = await damaged("a state", MISFITS["no JSON"]);
  const unknown = "so what it was before is unknown";
  const before = snapshot(host);
  const status = await admin(host, ["status", "--json"]);
  const { ok, resources } = JSON.parse(status.lines.join("\n"));
  const found = resources.find((one: { readonly key: string }) => one.key === "sysctl/vm/swappiness");
  assertEquals([ok, found.state, found.original, snapshot(host)], [false, "stuck", null, before]);
  assertStringIncludes(JSON.stringify(found.reasons), unknown);
  // Another guest cannot join what nobody could give back, and is told how to give it up.
  const refused = await host.call("qemu", "prepare", OTHER);
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, unknown);
  assertStringIncludes(refused.stderr, "virt-hooks release --resource sysctl/vm/swappiness");
  const released = await host.call("qemu", "release");
  assertEquals([released.code, released.history["outcome"]], [0, "failed"]);
  assertStringIncludes(released.stderr, `sysctl/vm/swappiness: its state in the ledger is damaged`);
  assertStringIncludes(released.stderr, "it stays as it is");
  assertEquals([host.text(SWAPPINESS), host.text(DIRTY), host.ledgerFiles()], ["1", "20", []]);
  assertEquals((await host.call("qemu", "prepare", OTHER)).code, 0);
});
