/**
 * The output of install.sh in the documentation: blocks that name `install/NAME` quote the section NAME of one run on a host of
 * its own.
 */
import { type Block, blocksOf, readPage } from "../docs/pages.ts";
import { matchesLines } from "../docs/quote.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeArchive } from "./archive.ts";
import { missing } from "./prerequisite.ts";
import { hasNoNamespaces, makePrivateHost, runInside, START_LIBVIRTD } from "./private_host.ts";
import { inFreshFolder, writeScript } from "./scenario.ts";

const IGNORE = missing("/usr/bin/busybox") || await hasNoNamespaces();
const PAGES = ["docs/howto/install.md", "docs/howto/upgrade.md", "docs/howto/uninstall.md"];
const INSTALLED = "sh /usr/local/lib/virt-hooks/install.sh";
const DEMAND = "/run/virt-hooks/ledger/resources/sysctl/demands/0.json";

const SCRIPT = `exec 2>&1
${START_LIBVIRTD}
cd /root/virt-hooks-0.1.0
echo "== install"; sh install.sh
echo "== status"; ${INSTALLED} --status
cd /root/virt-hooks-0.2.0
echo "== upgrade"; sh install.sh
cd /root/virt-hooks-0.1.0
echo "== downgrade"; sh install.sh
mkdir -p ${DEMAND.replace(/\/[^/]*$/, "")}; : >${DEMAND}
echo "== held"; ${INSTALLED} --uninstall
rm -r /run/virt-hooks
echo "== uninstall"; ${INSTALLED} --uninstall`;

Deno.test({
  name: "install.sh prints what the documentation shows",
  ignore: IGNORE,
  fn: async () => {
    const blocks: Block[] = [];
    for (const page of PAGES) blocks.push(...blocksOf(page, await readPage(page)).filter(isQuote));
    assert(blocks.length > 4, `${blocks.length} blocks quote install.sh`);
    const sections = await playSections();
    for (const { page, line, files: [name = ""], text } of blocks) {
      const [, ...shown] = text.trimEnd().split("\n");
      const printed = sections.get(name.replace("install/", ""));
      if (matchesLines(shown, printed ?? [])) continue;
      assertEquals(shown.join("\n"), printed?.join("\n"), `${page}:${line} is not what install.sh prints`);
    }
  },
});

function isQuote({ files }: Block): boolean {
  return files[0]?.startsWith("install/") ?? false;
}

/** Runs install.sh in every way that the pages show, and returns the lines that each printed. */
async function playSections(): Promise<ReadonlyMap<string, readonly string[]>> {
  const sections = new Map<string, readonly string[]>();
  await inFreshFolder(async (folder) => {
    const root = `${folder}/host`;
    await makePrivateHost(root);
    for (const version of ["0.1.0", "0.2.0"]) await makeArchive(`${root}/root/virt-hooks-${version}`, { version });
    for (const driver of ["lxc", "network"]) {
      await writeScript(`${root}/usr/lib64/libvirt/connection-driver/libvirt_driver_${driver}.so`, "");
    }
    await writeScript(`${root}/etc/libvirt/hooks/network`, "exit 0");
    const { stdout } = await runInside(root, SCRIPT);
    for (const section of stdout.split("== ").slice(1)) {
      const [name = "", ...lines] = section.replaceAll(/(HUP |process )\d+/g, "$1812").trimEnd().split("\n");
      sections.set(name, lines);
    }
  });
  return sections;
}
