import { COMMAND_NAMES, pageOf, withHelp } from "../../build/docs/command_help.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const index = await Deno.readTextFile(new URL("../../docs/reference/commands.md", import.meta.url));

Deno.test("virt-hooks has commands", () => assert(COMMAND_NAMES.length > 0));

for (const name of COMMAND_NAMES) {
  Deno.test(`docs/reference/commands/${name}.md begins with the help of ${name}, and the index links to it`, async () => {
    const page = await Deno.readTextFile(pageOf(name));
    assertEquals(page, withHelp(name, page), "deno run -A build/docs/command_help.ts writes it anew");
    assertStringIncludes(page, "\nOptions:\n");
    assertStringIncludes(index, `[\`${name}\`](commands/${name}.md)`);
  });
}
