/** Good and bad snippets for each rule of the lint plugin. */
import { assertEquals } from "../support/assert.ts";
import plugin from "./plugin.ts";
import config from "../../deno.json" with { type: "json" };

type RuleName = keyof typeof plugin.rules;

interface Snippet {
  readonly rule: RuleName;
  readonly file: string;
  readonly source: string;
}

const GOOD: readonly Snippet[] = [
  { rule: "layer-imports", file: "lib/rules/match.ts", source: `import { x } from "../libvirt/call.ts";` },
  { rule: "layer-imports", file: "lib/rules/match.ts", source: `import type { R } from "./schema.ts";` },
  { rule: "layer-imports", file: "lib/libvirt/drivers/qemu.ts", source: `import { x } from "../driver.ts";` },
  { rule: "layer-imports", file: "lib/ledger/converge.ts", source: `import { x } from "../resources/registry.ts";` },
  { rule: "layer-imports", file: "lib/resources/command.ts", source: `import { x } from "../trust/trust.ts";` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `export { x } from "../sys/sys.ts";` },
  { rule: "layer-imports", file: "lib/cli/commands/check.ts", source: `import { x } from "../../app/load_rules.ts";` },
  { rule: "layer-imports", file: "lib/rules/read.ts", source: `import { parse } from "smol-toml";` },
  { rule: "layer-imports", file: "examples/demo/demo.ts", source: `import { x } from "../../lib/story/player.ts";` },
  { rule: "deno-only-in-sys", file: "lib/story/private_root.ts", source: `Deno.pid;` },
  { rule: "layer-imports", file: "hooks/qemu.ts", source: `import { qemu } from "../lib/libvirt/drivers/qemu.ts";` },
  { rule: "layer-imports", file: "build/main.ts", source: `import { x } from "./compile.ts";` },
  { rule: "layer-imports", file: "build/docs/page.ts", source: `import { x } from "../../lib/libvirt/driver.ts";` },
  { rule: "layer-imports", file: "tests/rules/match_test.ts", source: `import { x } from "../../lib/rules/match.ts";` },
  {
    rule: "deno-sys-in-entry-points",
    file: "hooks/lxc.ts",
    source: `import { denoSys } from "../lib/sys/deno_sys.ts";`,
  },
  { rule: "deno-sys-in-entry-points", file: "cli.ts", source: `import { denoSys } from "./lib/sys/deno_sys.ts";` },
  { rule: "deno-sys-in-entry-points", file: "cli.ts", source: `import { t } from "./lib/sys/deno_terminal.ts";` },
  { rule: "deno-sys-in-entry-points", file: "tests/sys/a_test.ts", source: `import "../../lib/sys/deno_child.ts";` },
  { rule: "deno-sys-in-entry-points", file: "lib/sys/deno_sys.ts", source: `import { x } from "./deno_child.ts";` },
  {
    rule: "deno-sys-in-entry-points",
    file: "lib/app/run_hook.ts",
    source: `import type { Sys } from "../sys/sys.ts";`,
  },
  { rule: "bare-specifiers", file: "lib/rules/read.ts", source: `import { parse } from "smol-toml";` },
  { rule: "bare-specifiers", file: "lib/rules/read.ts", source: `import { parse } from "@std/assert";` },
  { rule: "bare-specifiers", file: "tests/a_test.ts", source: `import { x } from "node:fs";` },
  { rule: "no-node-imports", file: "tests/a_test.ts", source: `import { x } from "node:fs";` },
  { rule: "no-node-imports", file: "lib/xml/path.ts", source: `import { x } from "./node.ts";` },
  { rule: "literal-dynamic-imports", file: "lib/app/run_hook.ts", source: `await import("../cli/explain.ts");` },
  { rule: "deno-only-in-sys", file: "lib/sys/deno_sys.ts", source: `Deno.readTextFileSync("/a");` },
  { rule: "deno-only-in-sys", file: "lib/sys/deno_child.ts", source: `Deno.pid;` },
  { rule: "deno-only-in-sys", file: "build/compile.ts", source: `Deno.pid;` },
  { rule: "deno-only-in-sys", file: "hooks/qemu.ts", source: `Deno.exit(0);` },
  { rule: "deno-only-in-sys", file: "tests/a_test.ts", source: `Deno.pid;` },
  {
    rule: "one-statement-entry-points",
    file: "hooks/qemu.ts",
    source: `import { run } from "./a.ts";\nDeno.exit(await run());`,
  },
  { rule: "one-statement-entry-points", file: "lib/app/run_hook.ts", source: `const a = 1;\nexport const b = a;` },
  { rule: "function-declarations", file: "lib/xml/path.ts", source: `export function f(): void {}` },
  { rule: "function-declarations", file: "lib/xml/path.ts", source: `function f(): void { const g = () => 1; g(); }` },
  { rule: "function-declarations", file: "lib/xml/path.ts", source: `const f = { g: () => 1 };` },
  {
    rule: "error-classes-only",
    file: "lib/xml/parse.ts",
    source: `export class XmlSyntaxError extends SyntaxError {}`,
  },
  { rule: "error-classes-only", file: "lib/xml/parse.ts", source: `interface A {}` },
  { rule: "no-assertions", file: "lib/xml/parse.ts", source: `const a = [1] as const;` },
  { rule: "no-assertions", file: "lib/xml/parse.ts", source: `const a = { b: 1 } satisfies A;` },
  { rule: "no-assertions", file: "lib/sys/deno_sys.ts", source: `const a = b as string;` },
  { rule: "no-assertions", file: "tests/a_test.ts", source: `const a = b as string;` },
  { rule: "no-module-state", file: "lib/xml/parse.ts", source: `const a = 1; function f(): void { let b = a; b++; }` },
  { rule: "no-module-state", file: "tests/a_test.ts", source: `let a = 1;` },
  { rule: "file-names", file: "lib/app/run_hook.ts", source: `` },
  { rule: "file-names", file: "tests/support/deno_std.d.ts", source: `` },
  { rule: "file-names", file: "lib/xml/path2.ts", source: `` },
  { rule: "size-limits", file: "lib/xml/parse.ts", source: "// a line\n".repeat(450) },
  { rule: "size-limits", file: "lib/xml/parse.ts", source: functionOf(60) },
  { rule: "size-limits", file: "tests/a_test.ts", source: "// a line\n".repeat(451) },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: `new XmlSyntaxError("Cannot parse: no root", 1);` },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: "new Error(`${subject} is missing`);" },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: `new TypeError("Wait…"); new Error("And so on...");` },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: `new Map("a."); new Error(); new Error(text);` },
  { rule: "unread-using", file: "lib/app/run_hook.ts", source: `const a = b();\nusing _a = a;\na.c();` },
  { rule: "unread-using", file: "tests/a_test.ts", source: `using a = b();\na.c();` },
];

const BAD: readonly Snippet[] = [
  { rule: "layer-imports", file: "lib/cli/run_cli.ts", source: `import { x } from "../story/player.ts";` },
  { rule: "layer-imports", file: "lib/story/player.ts", source: `import { x } from "../sys/sys.ts";` },
  { rule: "layer-imports", file: "hooks/qemu.ts", source: `import { x } from "../lib/story/player.ts";` },
  { rule: "deno-only-in-sys", file: "lib/story/player.ts", source: `Deno.pid;` },
  { rule: "layer-imports", file: "lib/xml/path.ts", source: `import { x } from "../libvirt/call.ts";` },
  { rule: "layer-imports", file: "lib/rules/match.ts", source: `import type { Sys } from "../sys/sys.ts";` },
  { rule: "layer-imports", file: "lib/sys/sys.ts", source: `export * from "../rules/match.ts";` },
  { rule: "layer-imports", file: "lib/resources/nft.ts", source: `export { x } from "../ledger/ledger.ts";` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `await import("../cli/check.ts");` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `type A = import("../cli/check.ts").A;` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `import { x } from "../../build/compile.ts";` },
  { rule: "layer-imports", file: "build/compile.ts", source: `import { x } from "../lib/sys/sys.ts";` },
  { rule: "layer-imports", file: "build/compile.ts", source: `import { x } from "../tests/support/a.ts";` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `import { x } from "../../tests/support/a.ts";` },
  { rule: "layer-imports", file: "lib/app/run_hook.ts", source: `import { x } from "../version.ts";` },
  { rule: "layer-imports", file: "lib/attic/old.ts", source: `import { x } from "../xml/path.ts";` },
  { rule: "layer-imports", file: "hooks/qemu.ts", source: `import { x } from "../lib/rules/match.ts";` },
  { rule: "layer-imports", file: "cli.ts", source: `import { x } from "./build/compile.ts";` },
  { rule: "deno-sys-in-entry-points", file: "lib/app/run_hook.ts", source: `import { d } from "../sys/deno_sys.ts";` },
  { rule: "deno-sys-in-entry-points", file: "lib/sys/sys.ts", source: `import { d } from "./deno_sys.ts";` },
  { rule: "deno-sys-in-entry-points", file: "build/main.ts", source: `import { d } from "../lib/sys/deno_sys.ts";` },
  {
    rule: "deno-sys-in-entry-points",
    file: "lib/cli/commands/check.ts",
    source: `import { d } from "../../sys/deno_child.ts";`,
  },
  { rule: "bare-specifiers", file: "lib/rules/read.ts", source: `import { parse } from "npm:smol-toml@1";` },
  { rule: "bare-specifiers", file: "tests/a_test.ts", source: `import { parse } from "jsr:@std/assert";` },
  { rule: "bare-specifiers", file: "build/main.ts", source: `import { parse } from "https://example.org/a.ts";` },
  { rule: "bare-specifiers", file: "lib/rules/read.ts", source: `export * from "/etc/a.ts";` },
  { rule: "no-node-imports", file: "lib/sys/deno_sys.ts", source: `import { x } from "node:fs";` },
  { rule: "no-node-imports", file: "hooks/qemu.ts", source: `import process from "node:process";` },
  { rule: "no-node-imports", file: "cli.ts", source: `await import("node:path");` },
  { rule: "literal-dynamic-imports", file: "lib/app/run_hook.ts", source: `await import(name);` },
  { rule: "literal-dynamic-imports", file: "lib/app/run_hook.ts", source: "await import(`./${name}.ts`);" },
  { rule: "deno-only-in-sys", file: "lib/app/run_hook.ts", source: `Deno.pid;` },
  { rule: "deno-only-in-sys", file: "lib/app/run_hook.ts", source: `type A = Deno.FileInfo;` },
  { rule: "deno-only-in-sys", file: "lib/app/run_hook.ts", source: `globalThis.Deno.exit(1);` },
  { rule: "deno-only-in-sys", file: "lib/sys/memory_sys.ts", source: `Deno.pid;` },
  { rule: "deno-only-in-sys", file: "hooks/qemu.ts", source: `Deno.exit(Deno.args.length);` },
  { rule: "one-statement-entry-points", file: "hooks/qemu.ts", source: `const a = 1;\nDeno.exit(a);` },
  { rule: "one-statement-entry-points", file: "hooks/qemu.ts", source: `if (a) Deno.exit(1);` },
  { rule: "one-statement-entry-points", file: "cli.ts", source: `import { run } from "./a.ts";` },
  { rule: "function-declarations", file: "lib/xml/path.ts", source: `const f = () => 1;` },
  { rule: "function-declarations", file: "lib/xml/path.ts", source: `export const f = function () {};` },
  { rule: "error-classes-only", file: "lib/xml/parse.ts", source: `class Parser {}` },
  { rule: "error-classes-only", file: "lib/xml/parse.ts", source: `const a = class extends Map {};` },
  { rule: "no-assertions", file: "lib/xml/parse.ts", source: `const a = b as string;` },
  { rule: "no-assertions", file: "lib/xml/parse.ts", source: `const a = <string> b;` },
  { rule: "no-module-state", file: "lib/xml/parse.ts", source: `let a = 1;` },
  { rule: "no-module-state", file: "lib/xml/parse.ts", source: `export var a = 1;` },
  { rule: "file-names", file: "lib/app/runHook.ts", source: `` },
  { rule: "file-names", file: "lib/app/run-hook.ts", source: `` },
  { rule: "file-names", file: "lib/app/utils.ts", source: `` },
  { rule: "file-names", file: "tests/support/xml_helpers.ts", source: `` },
  { rule: "size-limits", file: "lib/xml/parse.ts", source: "// a line\n".repeat(451) },
  { rule: "size-limits", file: "lib/xml/parse.ts", source: functionOf(61) },
  { rule: "size-limits", file: "hooks/qemu.ts", source: `const f = ${functionOf(61)};` },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: `new XmlSyntaxError("cannot parse");` },
  { rule: "error-messages", file: "lib/xml/parse.ts", source: `new Error("Cannot parse.");` },
  { rule: "error-messages", file: "tests/support/a.ts", source: "new Error(`cannot parse ${name}`);" },
  { rule: "unread-using", file: "lib/app/run_hook.ts", source: `using a = b();\na.c();` },
  { rule: "unread-using", file: "lib/app/run_hook.ts", source: `await using a = b();\na.c();` },
];

/** The standard linter's rules this plugin relies on instead of repeating them. */
const STANDARD_RULES = ["explicit-function-return-type", "no-console", "no-eval", "no-non-null-assertion"] as const;

for (const snippet of GOOD) {
  Deno.test(`${snippet.rule} accepts ${titleOf(snippet)}`, () => {
    assertEquals(findingsOf(snippet), []);
  });
}

for (const snippet of BAD) {
  Deno.test(`${snippet.rule} refuses ${titleOf(snippet)}`, () => {
    assertEquals(new Set(findingsOf(snippet)), new Set([`${plugin.name}/${snippet.rule}`]));
  });
}

for (const rule of Object.keys(plugin.rules)) {
  Deno.test(`${rule} has a good and a bad snippet`, () => {
    assertEquals([GOOD, BAD].map((snippets) => snippets.some((snippet) => snippet.rule === rule)), [true, true]);
  });
}

Deno.test("deno.json loads the lint plugin and the standard rules it relies on", () => {
  assertEquals(config.lint.plugins, ["./tests/lint/plugin.ts"]);
  assertEquals(STANDARD_RULES.filter((rule) => !config.lint.rules.include.includes(rule)), []);
});

/** Runs one rule alone on a file at that path of the repository. */
function findingsOf({ rule, file, source }: Snippet): readonly string[] {
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname);
  const alone: Deno.lint.Plugin = { name: plugin.name, rules: { [rule]: plugin.rules[rule] } };
  return Deno.lint.runPlugin(alone, root + file, source).map((finding) => finding.id);
}

function titleOf({ file, source }: Snippet): string {
  return `in ${file}: ${source.length > 80 ? `${source.split("\n").length} lines` : source}`;
}

function functionOf(lines: number): string {
  return `function f(): void {\n${"  a();\n".repeat(lines - 2)}}`;
}
