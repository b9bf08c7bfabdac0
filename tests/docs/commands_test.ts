import { admin } from "../support/admin.ts";
import { assert, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const page = await Deno.readTextFile(new URL("../../docs/reference/commands.md", import.meta.url));
const { lines } = await admin(ledgerHost(""), ["--help"]);
const names = lines.flatMap((line) => /^ {2}(\w+) {2}/.exec(line)?.[1] ?? []);

Deno.test("virt-hooks --help names subcommands", () => assert(names.length > 0));

for (const name of names) {
  Deno.test(`docs/reference/commands.md has ${name} with everything that it takes`, async () => {
    const [usage = ""] = (await admin(ledgerHost(""), [name, "--help"])).lines;
    // The page breaks its lines where it likes.
    assertStringIncludes(page.replaceAll(/\s+/g, " "), `\`${usage.replace("Usage: ", "")}\``);
  });
}
