import { portOwnerName } from "../../lib/libvirt/port_owner.ts";
import { assertEquals } from "../support/assert.ts";

function hookData(network: string, owner: string): string {
  return `<hookData>\n${network}\n<networkport>\n    <uuid>u</uuid>\n    ${owner}\n  </networkport>\n</hookData>`;
}

const CASES = [
  { what: "a guest", text: hookData("<network/>", "<owner>\n      <name>vm1</name>\n    </owner>"), name: "vm1" },
  {
    what: "a name with characters of XML",
    text: hookData("", "<owner><name>a&lt;&amp;b</name></owner>"),
    name: "a<&b",
  },
  {
    what: "a port of the network's own description",
    text: hookData("<networkport><owner><name>x</name></owner>", "<owner><name>vm1</name></owner>"),
    name: "vm1",
  },
  { what: "a port without an owner", text: hookData("<network/>", ""), name: undefined },
  { what: "no port", text: "<hookData><network/></hookData>", name: undefined },
];

for (const { what, text, name } of CASES) {
  Deno.test(`portOwnerName() reads ${what}`, () => {
    assertEquals(portOwnerName(new TextEncoder().encode(text)), name);
  });
}

Deno.test("portOwnerName() reads what libvirt sends", async () => {
  const document = await Deno.readFile(new URL("../fixtures/network-port-created.xml", import.meta.url));
  assertEquals(portOwnerName(document), "vm1");
});
