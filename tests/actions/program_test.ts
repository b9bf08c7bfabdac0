import * as v from "valibot";
import type { Action } from "../../lib/actions/action.ts";
import type { RuleContext } from "../../lib/config/rule_context.ts";
import { processSchema } from "../../lib/actions/process.ts";
import { runSchema } from "../../lib/actions/run.ts";
import { type HookCall, makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals } from "../support/assert.ts";

const RULE: RuleContext = { name: "r", while: "guest", namespaces: {} };

function qemuCall(operation: "prepare" | "started"): HookCall {
  const invocation = parseInvocation(drivers.qemu, ["web-1", operation, "begin", "-"]);
  const document = new TextEncoder().encode("<domain><name>web-1</name><port>5901</port></domain>");
  return makeCall(invocation, drivers.qemu.operations[operation], { host: "hv-01", document, parse: parseDocument });
}

function environmentAt(operation: string): Readonly<Record<string, string>> {
  return {
    LC_ALL: "C",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    VIRT_HOOKS_DRIVER: "qemu",
    VIRT_HOOKS_OBJECT: "web-1",
    VIRT_HOOKS_OPERATION: operation,
    VIRT_HOOKS_SUBOPERATION: "begin",
    VIRT_HOOKS_EXTRA: "-",
    VIRT_HOOKS_RULE: "r",
  };
}

interface Case {
  readonly name: string;
  readonly action: () => Action;
  readonly lasts: Action["lasts"];
  readonly operation: "prepare" | "started";
  readonly want: Readonly<Record<string, unknown>>;
}

function run(given: Readonly<Record<string, unknown>>): () => Action {
  return () => v.parse(runSchema(), given);
}

const PORT = "${xml:/domain/port}";

const PLANNED: readonly Case[] = [
  {
    name: "a run with an undo lasts as long as the guest is there",
    action: run({ argv: ["/a", "${domain}"], undo: ["/b", "${domain}"], timeout: "5s" }),
    lasts: "domain",
    operation: "prepare",
    want: {
      ...{ resource: "command", lifetime: "domain", action: "run", onError: "fail" },
      demand: {
        ...{ argv: ["/a", "web-1"], filled: [1], environment: environmentAt("prepare"), timeoutMs: 5000 },
        ...{ undo: ["/b", "web-1"], undoFilled: [1] },
      },
      text: "run /a web-1, undone by /b web-1, each for 5 s at most",
    },
  },
  {
    name: "a run during running is filled once the guest runs",
    action: run({ argv: ["/a", PORT], during: "running", on_error: "fail" }),
    lasts: "running",
    operation: "started",
    want: {
      ...{ resource: "command", lifetime: "running", action: "run", onError: "fail" },
      demand: {
        ...{ argv: ["/a", "5901"], filled: [1], environment: environmentAt("started"), timeoutMs: undefined },
        ...{ undo: undefined, undoFilled: [] },
      },
      text: "run /a 5901",
    },
  },
  {
    name: "a run during running is as the rule writes it before",
    action: run({ argv: ["/a", PORT], undo: ["/b"], during: "running" }),
    lasts: "running",
    operation: "prepare",
    want: {
      ...{ resource: "command", lifetime: "running", action: "run", onError: "fail" },
      demand: {
        ...{ argv: ["/a", PORT], filled: [1], environment: environmentAt("prepare"), timeoutMs: undefined },
        ...{ undo: ["/b"], undoFilled: [] },
      },
      text: `run /a "${PORT}", undone by /b`,
    },
  },
  {
    name: "a process lasts while the guest runs",
    action: () => v.parse(processSchema(), { argv: ["/a", PORT] }),
    lasts: "running",
    operation: "started",
    want: {
      ...{ resource: "process", lifetime: "running", action: "process", onError: "continue" },
      demand: { argv: ["/a", "5901"], filled: [1], environment: environmentAt("started") },
      text: "process /a 5901",
    },
  },
];

for (const { name, action, lasts, operation, want } of PLANNED) {
  Deno.test(`planned: ${name}`, () => {
    const made = action();
    assertEquals(made.lasts, lasts);
    const plan: unknown = made.plan(RULE, qemuCall(operation));
    assertEquals(plan, [{ kind: "hold", rule: "r", ...want }]);
    // It throws on whatever is no data.
    assertEquals(structuredClone(plan), plan);
  });
}

Deno.test("a run without undo and during is an event", () => {
  const action = run({ argv: ["/a"] })();
  assertEquals([action.lasts, action.plan(RULE, qemuCall("prepare")).map(({ kind }) => kind)], ["event", ["run"]]);
});

Deno.test("an action lists all its programs", () => {
  assertEquals(run({ argv: ["/a", "${domain}"], undo: ["/b"] })().programs, [
    { argv: ["/a", "${domain}"], filled: [1] },
    { argv: ["/b"], filled: [] },
  ]);
  assertEquals(v.parse(processSchema(), { argv: ["/a"] }).programs, [{ argv: ["/a"], filled: [] }]);
});

Deno.test("a placeholder without a value is a fault when the hold is acquired", () => {
  const [fault] = run({ argv: ["/a", "${xml:/domain/nothing}"], undo: ["/b"] })().plan(RULE, qemuCall("prepare"));
  assertEquals(fault, {
    kind: "fault",
    rule: "r",
    action: "run",
    message: "${xml:/domain/nothing} has no value at this call",
    onError: "fail",
  });
});
