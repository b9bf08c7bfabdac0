/**
 * The examples in docs/reference/paths.md are true.
 * @module
 */

import { parseDocument } from "../../lib/xml/document.ts";
import { XML_LIMITS } from "../../lib/xml/limits.ts";
import { PathSyntaxError } from "../../lib/xml/path.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { select, type SelectedNode } from "../../lib/xml/select.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const PAGE = Deno.readTextFileSync(new URL("../../docs/reference/paths.md", import.meta.url));
const NAMESPACES = { app: "urn:example:app", qemu: "http://libvirt.org/schemas/domain/qemu/1.0" };

function blocks(language: string): readonly string[] {
  const found = [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, block]) =>
    block ?? ""
  );
  assert(found.length > 0, `docs/reference/paths.md has no block of ${language}`);
  return found;
}

/** The lines `left → right` of all blocks of a language. */
function examples(language: string): readonly (readonly [string, string])[] {
  return blocks(language).flatMap((block) => block.trimEnd().split("\n")).map((line) => {
    const [left, right, ...rest] = line.split("→").map((part) => part.trim());
    assert(left !== undefined && right !== undefined && rest.length === 0, `not an example: ${line}`);
    return [left, right] as const;
  });
}

function show(node: SelectedNode): string {
  if (node.type === "element") return `<${node.name.raw}>`;
  return node.type === "attribute" ? node.value : node.text;
}

const document = parseDocument(blocks("xml")[0] ?? "");

for (const [path, selected] of examples("paths")) {
  Deno.test(`docs/reference/paths.md is right about ${path}`, () => {
    const shown = select(parsePath(path, NAMESPACES), document).map(show).join(" | ");
    assertEquals(shown === "" ? "nothing" : shown, selected);
  });
}

for (const [path, problem] of examples("refused")) {
  Deno.test(`docs/reference/paths.md is right that ${path} is refused`, () => {
    const error = assertThrows(() => parsePath(path, NAMESPACES), PathSyntaxError);
    assertEquals(error.path, path);
    const [, column, says] = /at column ([0-9]+): (.*); supported are /.exec(error.message) ?? [];
    assertEquals(`${column}: ${says}`, problem);
    assertEquals(String(error.column), column);
  });
}

Deno.test("docs/reference/paths.md has every limit, and no other", () => {
  const rows = [...PAGE.matchAll(/^\| [^|]+ \| ([0-9]+)[^|]* \| `(\w+)` +\|$/gm)].map((
    [, limit, name],
  ) => [name, Number(limit)]);
  assertEquals(Object.fromEntries(rows), { ...XML_LIMITS });
});
