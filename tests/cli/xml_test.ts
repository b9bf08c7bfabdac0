import { hostOf } from "../support/host.ts";
import { runCli } from "../../lib/cli/run_cli.ts";
import { memorySys } from "../../lib/sys/memory_sys.ts";
import { positionAt } from "../../lib/xml/syntax_error.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testTerminal } from "../support/terminal.ts";

async function selected(path: string, document: string): Promise<readonly string[]> {
  const bytes = new TextEncoder().encode(document);
  const sys = memorySys({ args: ["xml", "select", path], stdin: { kind: "whole", bytes } });
  const printed: string[] = [];
  await runCli(hostOf({ ...sys, writeStdout: (text) => printed.push(text) }), testTerminal());
  return printed;
}

Deno.test("xml select tells the place of each node, whatever ends the lines", async () => {
  for (const text of ["<a><x/>\n <x/>\r\n  <x/>\r<x/><x/>\n\n<x/></a>", "\uFEFF<a><x/>\n<x/></a>"]) {
    const places = [...text.matchAll(/<x\/>/g)].map(({ index }) => positionAt(text, index));
    const expected = places.map(({ line, column }) => `${line}:${column}  <x/>\n`);
    assertEquals(await selected("//x", text), expected);
  }
});

Deno.test("xml select of many nodes takes no time that grows with their square", async () => {
  const count = 40_000;
  const document = `<a>\n${"<x/>\n".repeat(count)}</a>`;
  const startedMs = performance.now();
  const lines = await selected("//x", document);
  assertEquals([lines.length, lines.at(-1)], [count, `${count + 1}:1  <x/>\n`]);
  // A scan for each node took a minute and a half.
  assert(performance.now() - startedMs < 10_000);
});
