/** Of whom libvirt has a status, told from the beginning of one file. */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LibvirtObject, lookAtDomain, lookAtNetwork, lookAtPort } from "../../lib/libvirt/status_files.ts";
import { type MemoryNode, memorySys } from "../../lib/sys/memory_sys.ts";

const UUID = "11111111-2222-4333-8444-555555555555";
const OTHER = "99999999-2222-4333-8444-555555555555";
const FILE = "/run/libvirt/qemu/web-1.xml";
const WARNING = "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit web-1\n-->\n\n";

function status(uuid: string, { before = "", behind = "" } = {}): string {
  const domain = `<domain type='kvm' id='1'>\n<name>web-1</name>\n<uuid>${uuid}</uuid>\n${behind}\n</domain>`;
  return `${WARNING}<domstatus state='running' pid='1'>\n<monitor path='/m'/>\n${before}\n${domain}\n</domstatus>\n`;
}

const vcpus = Array.from({ length: 4096 }, (_, id) => `<vcpu id='${id}' pid='${100_000 + id}'/>\n`).join("");
const METADATA = `<metadata>${"<m xmlns='urn:a'>".repeat(2_000_000)}`;
const MARKUP = `<x a="</domstatus>" b='>'/><![CDATA[</domstatus>]]><?p </domstatus>?><!-- <domain> -->`;

const DOMAINS = [
  { what: "it is there", file: status(UUID), kind: "present" },
  { what: "it is another guest's", file: status(OTHER), kind: "absent" },
  { what: "there is no file", file: undefined, kind: "absent" },
  { what: "many CPUs are in front of it", file: status(UUID, { before: `<vcpus>${vcpus}</vcpus>` }), kind: "present" },
  {
    what: "much more is in front of it than libvirt writes",
    file: status(UUID, { before: METADATA }),
    kind: "unreadable",
  },
  { what: "endless metadata is behind it", file: status(UUID, { behind: METADATA }), kind: "present" },
  { what: "another one's metadata is endless", file: status(OTHER, { behind: METADATA }), kind: "absent" },
  {
    what: "a description has it",
    file: status(OTHER, { behind: `<description>${UUID}</description>` }),
    kind: "absent",
  },
  { what: "metadata has an element of it", file: status(OTHER, { behind: `<uuid>${UUID}</uuid>` }), kind: "absent" },
  {
    what: "a backup of another domain's is in front of it",
    file: status(UUID, { before: `<backups><domainbackup><uuid>${OTHER}</uuid></domainbackup></backups>` }),
    kind: "present",
  },
  { what: "odd markup is in front of it", file: status(UUID, { before: MARKUP }), kind: "present" },
  { what: "a comment is left open", file: `<!-- ${status(UUID).replaceAll("-->", "")}`, kind: "unreadable" },
  { what: "the file is empty", file: "", kind: "unreadable" },
  { what: "the file is cut off in its UUID", file: status(UUID).split("555555")[0] ?? "", kind: "unreadable" },
  { what: "the file is a link", file: { kind: "symlink", text: "/x" } as const, kind: "unreadable" },
] as const satisfies readonly {
  readonly file: string | Partial<MemoryNode> | undefined;
  readonly [field: string]: unknown;
}[];

for (const { what, file, kind } of DOMAINS) {
  Deno.test(`a guest's status is ${kind} where ${what}`, () => {
    const files = { "/run/libvirt/qemu/other.xml": status(UUID), ...(file === undefined ? {} : { [FILE]: file }) };
    const look = lookAtDomain({ driver: "qemu", name: "web-1", uuid: UUID }, memorySys({ files }));
    assertEquals(look.kind, kind);
    if (look.kind === "unreadable") assertStringIncludes(look.reason, FILE);
  });
}

const NETWORK =
  `${WARNING}<networkstatus>\n<class_id bitmap='0-2'/>\n<floor sum='0'/>\n<network>\n<name>default</name>\n` +
  `<uuid>${UUID}</uuid>\n<forward mode='nat'/>\n</network>\n</networkstatus>\n`;

function networkLook(object: LibvirtObject): string {
  const files = {
    "/run/libvirt/network/default.xml": NETWORK,
    [`/run/libvirt/network/default/ports/${UUID}.xml`]: "<networkport>",
  };
  return `${lookAtNetwork(object, memorySys({ files })).kind} ${lookAtPort(object, memorySys({ files })).kind}`;
}

Deno.test("networks are told by their UUID, ports by the names of their files", () => {
  assertEquals(networkLook({ name: "default", uuid: UUID }), "present present");
  assertEquals(networkLook({ name: "default", uuid: OTHER }), "absent absent");
  assertEquals(networkLook({ name: "isolated", uuid: UUID }), "absent absent");
  assertEquals(networkLook({ name: "../qemu", uuid: UUID }), "unreadable unreadable");
});

Deno.test("nothing can be told where a driver has no folder", () => {
  const object = { name: "default", uuid: UUID };
  const folders = [lookAtDomain({ driver: "qemu", ...object }, memorySys()), lookAtNetwork(object, memorySys())];
  assertEquals([...folders, lookAtPort(object, memorySys())], [
    { kind: "unreadable", reason: "/run/libvirt/qemu cannot be read" },
    { kind: "unreadable", reason: "/run/libvirt/network cannot be read" },
    { kind: "unreadable", reason: "/run/libvirt/network cannot be read" },
  ]);
});
