import { makeCall } from "../../lib/libvirt/call.ts";
import { type Driver, type DriverName } from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { matchRules, type RuleMatch } from "../../lib/rules/match.ts";
import type { Selectors, When } from "../../lib/rules/rule.ts";
import { assert, assertEquals } from "../support/assert.ts";

interface Case {
  readonly name: string;
  readonly call: readonly [DriverName, string, string, string?];
  readonly when: When;
  readonly unless?: readonly Selectors[];
  readonly matches: boolean;
  /** The last reason. */
  readonly because: string;
  readonly problem?: string;
}

const CASES: readonly Case[] = [
  {
    name: "an operation",
    call: ["qemu", "web-1", "prepare"],
    when: { on: ["start", "prepare"] },
    matches: true,
    because: "operation is prepare",
  },
  {
    name: "another operation",
    call: ["qemu", "web-1", "release"],
    when: { on: ["start", "prepare"] },
    matches: false,
    because: "operation is release, not start or prepare",
  },
  {
    name: "a driver",
    call: ["lxc", "web-1", "prepare"],
    when: { driver: ["qemu", "lxc"] },
    matches: true,
    because: "driver is lxc",
  },
  {
    name: "another driver",
    call: ["libxl", "web-1", "prepare"],
    when: { driver: ["qemu"] },
    matches: false,
    because: "driver is libxl, not qemu",
  },
  {
    name: "a guest by a glob",
    call: ["qemu", "web-1", "prepare"],
    when: { domain: ["db-*", "web-*"] },
    matches: true,
    because: 'domain "web-1" matches "web-*"',
  },
  {
    name: "another guest",
    call: ["qemu", "mail", "prepare"],
    when: { domain: ["db-*", "web-*"] },
    matches: false,
    because: 'domain "mail" does not match "db-*" or "web-*"',
  },
  {
    name: "a guest's rule at a network",
    call: ["network", "web-1", "started"],
    when: { domain: ["web-*"] },
    matches: false,
    because: "this call has no domain",
  },
  {
    name: "a network",
    call: ["network", "default", "started"],
    when: { network: ["default"] },
    matches: true,
    because: 'network "default" matches "default"',
  },
  {
    name: "the daemon, which has no name",
    call: ["daemon", "-", "start"],
    when: { network: ["*"] },
    matches: false,
    because: "this call has no network",
  },
  {
    name: "this host",
    call: ["qemu", "a", "start"],
    when: { host: ["hv-*"] },
    matches: true,
    because: 'host "hv-01" matches "hv-*"',
  },
  {
    name: "a reason",
    call: ["qemu", "a", "release", "from snapshot"],
    when: { reason: ["from*"] },
    matches: true,
    because: 'reason "from snapshot" matches "from*"',
  },
  {
    name: "no reason before libvirt 10.5",
    call: ["qemu", "a", "release", "-"],
    when: { reason: ["*"] },
    matches: false,
    because: "this call has no reason",
  },
  {
    name: "an extra argument that is no reason",
    call: ["qemu", "a", "start", "crashed"],
    when: { reason: ["crashed"] },
    matches: false,
    because: "this call has no reason",
  },
  {
    name: "a file that is there",
    call: ["qemu", "a", "start"],
    when: { file: ["/no", "/run/maintenance"] },
    matches: true,
    because: "/run/maintenance is there",
  },
  {
    name: "files that are not there",
    call: ["qemu", "a", "start"],
    when: { file: ["/no", "/nor"] },
    matches: false,
    because: "there is no /no nor /nor",
  },
  {
    name: "a file beside one on a dead file system",
    call: ["qemu", "a", "start"],
    when: { file: ["/dead/x", "/run/maintenance"] },
    matches: true,
    because: "/run/maintenance is there",
  },
  {
    name: "a file on a dead file system",
    call: ["qemu", "a", "start"],
    when: { file: ["/dead/x", "/no"] },
    matches: false,
    because: 'rule "r": Cannot determine whether it applies: /dead/x does not answer',
    problem: 'rule "r": Cannot determine whether it applies: /dead/x does not answer',
  },
  {
    name: "a file on a dead file system that another selector makes useless",
    call: ["qemu", "a", "start"],
    when: { domain: ["b"], file: ["/dead/x"] },
    matches: false,
    because: 'domain "a" does not match "b"',
  },
  {
    name: "an exclusion that cannot be told",
    call: ["qemu", "a", "start"],
    when: { on: ["start"] },
    unless: [{ file: ["/dead/x"] }],
    matches: false,
    because: 'rule "r": Cannot determine whether it applies: /dead/x does not answer',
    problem: 'rule "r": Cannot determine whether it applies: /dead/x does not answer',
  },
  {
    name: "an exclusion",
    call: ["qemu", "a", "start"],
    when: { on: ["start"] },
    unless: [{ host: ["x"] }, { domain: ["a"], file: ["/run/maintenance"] }],
    matches: false,
    because: 'unless domain "a" matches "a", /run/maintenance is there',
  },
  {
    name: "an exclusion that holds in part",
    call: ["qemu", "a", "start"],
    when: { on: ["start"] },
    unless: [{ domain: ["a"], file: ["/no"] }],
    matches: true,
    because: "operation is start",
  },
];

function fileExists(path: string): Promise<boolean | { readonly unknown: string }> {
  return Promise.resolve(
    path.startsWith("/dead/") ? { unknown: `${path} does not answer` } : path === "/run/maintenance",
  );
}

for (const { name, call: words, when, unless = [], matches, because, problem } of CASES) {
  Deno.test(`matchRules() says ${matches} to ${name}`, async () => {
    const [driverName, object, operation, extra = "-"] = words;
    const driver: Driver = drivers[driverName];
    const invocation = parseInvocation(driver, [object, operation, "begin", extra]);
    assert(invocation.facts !== undefined);
    const call = makeCall(invocation, invocation.facts, {
      host: "hv-01",
      document: new Uint8Array(),
      parse: parseDocument,
    });
    const context = { name: "r", while: "guest", namespaces: {} } as const;
    const rule = { ...context, file: "rules.toml", when, unless, actions: [] };
    const ruleSet = { rules: [rule], settings: { budgetsMs: {} } };
    const [match] = await matchRules(ruleSet, call, fileExists);
    assertEquals(
      [match?.matches, match?.verdicts.at(-1)?.because, match?.problem, match?.isLate],
      [matches, because, problem, problem === undefined ? undefined : true],
    );
  });
}

const TWO_PATHS = { on: ["start"], xml: ["/domain/a", "/domain/b"] };

async function lateCall(rules: readonly When[], lateAfter: number): Promise<readonly RuleMatch[]> {
  const invocation = parseInvocation(drivers.qemu, ["a", "start", "begin", "-"]);
  const call = makeCall(invocation, drivers.qemu.operations.start, {
    host: "hv-01",
    document: new TextEncoder().encode("<domain/>"),
    parse: parseDocument,
  });
  const context = { while: "guest", namespaces: {}, file: "rules.toml", unless: [], actions: [] } as const;
  const ruleSet = {
    rules: rules.map((when, index) => ({ ...context, name: `r${index + 1}`, when })),
    settings: { budgetsMs: {} },
  };
  let asked = 0;
  return await matchRules(ruleSet, call, () => Promise.resolve(false), () => ++asked > lateAfter);
}

Deno.test("matchRules() checks the deadline before each path, and leaves later rules undecided", async () => {
  const matches = await lateCall([TWO_PATHS, TWO_PATHS, { host: ["hv-*"] }], 3);
  assertEquals(matches.map(({ matches, isLate, problem }) => ({ matches, isLate, problem })), [
    { matches: false, isLate: undefined, problem: undefined },
    {
      matches: false,
      isLate: true,
      problem: 'rule "r2": Cannot read the document: no time is left for this call',
    },
    { matches: true, isLate: undefined, problem: undefined },
  ]);
});
