import { admin } from "../support/admin.ts";
import { assert, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const REFERENCE = new URL("../../docs/reference/", import.meta.url);
const index = await Deno.readTextFile(new URL("commands.md", REFERENCE));
const { lines } = await admin(ledgerHost(""), ["--help"]);
const names = lines.flatMap((line) => /^ {2}(\w+) {2}/.exec(line)?.[1] ?? []);

Deno.test("virt-hooks --help names subcommands", () => assert(names.length > 0));

for (const name of names) {
  Deno.test(`docs/reference/commands/${name}.md has the usage line of ${name}, and the index links to it`, async () => {
    const page = await Deno.readTextFile(new URL(`commands/${name}.md`, REFERENCE));
    const [usage = ""] = (await admin(ledgerHost(""), [name, "--help"])).lines;
    assertStringIncludes(page, `\n${usage.replace("Usage: ", "")}\n`);
    assertStringIncludes(index, `[\`${name}\`](commands/${name}.md)`);
  });
}
