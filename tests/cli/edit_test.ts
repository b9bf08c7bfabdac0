import { hostOf } from "../support/host.ts";
import { runCli } from "../../lib/cli/run_cli.ts";
import { type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { testTerminal } from "../support/terminal.ts";

const DOCUMENT = "<domain type='kvm'>\n  <name>web-1</name>\n  <title>old</title>\n</domain>\n";

async function edit(
  rules: string,
  args: readonly string[] = [],
  document = DOCUMENT,
): Promise<{ readonly code: number; readonly sys: MemorySys }> {
  const sys = memorySys({
    args: ["edit", "migrate", ...args],
    stdin: { kind: "whole", bytes: new TextEncoder().encode(document) },
    files: { "/etc/virt-hooks/rules.toml": rules },
  });
  return { code: await runCli(hostOf(sys), testTerminal()), sys };
}

function rule(name: string, action: string): string {
  return `[[rule]]\nname = "${name}"\nwhen = { on = "migrate" }\n${action}\n`;
}

const TITLE = rule("title", 'edit = { path = "/domain/title", set = "new" }');

Deno.test("edit shows the difference, and only notes a program", async () => {
  const { code, sys } = await edit(`${TITLE}${rule("sign", 'run = { argv = ["/opt/sign"] }')}`);
  assertEquals(code, 0);
  assertStringIncludes(sys.written.stdout, "-  <title>old</title>\n+  <title>new</title>\n");
  assertStringIncludes(sys.written.stderr, "rule sign, not done here: run   /opt/sign");
  assertEquals(sys.commands, []);
});

const FAILING = [
  { name: "a refusal", action: 'deny = "not today"', code: 1, told: 'rule "late": not today' },
  {
    name: "an edit that cannot be done",
    action: 'edit = { path = "/domain", remove = true }',
    code: 4,
    told: 'rule "late": Cannot edit the XML: the root element cannot be removed',
  },
  {
    name: "an action that cannot be planned",
    action: 'edit = { path = "/domain/title", set = "${xml://none}" }',
    code: 4,
    told: 'rule "late": cannot edit: ',
  },
];

for (const { name, action, code, told } of FAILING) {
  Deno.test(`edit ends as the hook would at ${name}`, async () => {
    const { code: ended, sys } = await edit(`${TITLE}${rule("late", action)}`);
    assertStringIncludes(sys.written.stderr, `virt-hooks: The call would fail: ${told}`);
    assertEquals([ended, sys.written.stdout], [code, ""]);
  });
}

Deno.test("edit notes failures that their rule takes", async () => {
  const failing = [
    '{ path = "/domain", remove = true, on_error = "continue" }',
    '{ path = "/domain/title", set = "${xml://none}", on_error = "continue" }',
  ];
  const { code, sys } = await edit(`${rule("lax", `edit = [${failing.join(", ")}]`)}${TITLE}`);
  assertEquals(code, 0);
  assertEquals(sys.written.stderr.split("\n").map((line) => line.slice(0, 11)), ["rule lax: C", "rule lax: c", ""]);
  assertStringIncludes(sys.written.stdout, "+  <title>new</title>");
});

Deno.test("edit gives up on a difference that nobody could read", async () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `<x>${index}</x>`).join("\n");
  const document = `<domain><name>web-1</name>\n${lines}\n</domain>`;
  const rules = rule("all", 'edit = { path = "//x", set = "y" }');
  const shown = await edit(rules, [], document);
  assertEquals(shown.code, 0);
  assertStringIncludes(shown.sys.written.stdout, "the difference is too large to show; use --print\n");
  const printed = await edit(rules, ["--print"], document);
  assertEquals(printed.sys.written.stdout, document.replaceAll(/<x>\d+/g, "<x>y"));
});

Deno.test("edit refuses rules from what is no folder", async () => {
  for (const directory of ["/none", "/etc/virt-hooks/rules.toml"]) {
    const { code, sys } = await edit(TITLE, ["--rules", directory]);
    assertEquals([code, sys.written.stdout], [2, ""]);
    assertStringIncludes(sys.written.stderr, `Cannot read rules: there is no folder ${directory}\n`);
  }
});
