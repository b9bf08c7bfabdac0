import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { sealArchive } from "./archive.ts";
import { type Scenario, scenario, writeScript } from "./scenario.ts";
import { listTree } from "./tree.ts";

/** Spoils something, then expects install.sh to refuse with these words and to leave everything as it was. */
function refuses(
  why: string,
  words: string,
  spoil: (scenario: Scenario) => Promise<void>,
  args = ["--drivers", "qemu"],
): void {
  scenario(`refuses ${why}, and changes nothing`, async (stage) => {
    await spoil(stage);
    const before = await listTree(stage.destdir);
    const ran = await stage.install(args);
    assertStringIncludes(ran.stderr, words);
    assertEquals(ran.code, 1);
    assertEquals(await listTree(stage.destdir), before);
  });
}

async function replaceHook({ archive }: Scenario, body: string): Promise<void> {
  await writeScript(`${archive}/hooks/qemu`, body);
  await sealArchive(archive, ["VERSION", "install.sh", "virt-hooks", "hooks/qemu"]);
}

/** The first 20 bytes of an ELF file of this machine, and an x bit. */
async function replaceByElf(stage: Scenario, machine: number): Promise<void> {
  await replaceHook(stage, "");
  const header = [127, 69, 76, 70, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, machine, 0];
  await Deno.writeFile(`${stage.archive}/hooks/qemu`, new Uint8Array(header));
  await sealArchive(stage.archive, ["VERSION", "install.sh", "virt-hooks", "hooks/qemu"]);
}

const THIS_MACHINE = Deno.build.arch === "x86_64" ? 62 : 183;
const OTHER_MACHINE = Deno.build.arch === "x86_64" ? 183 : 62;

refuses("a file whose checksum is wrong", "Cannot trust", async ({ archive }) => {
  await Deno.writeTextFile(`${archive}/hooks/qemu`, "# one more line\n", { append: true });
});
refuses("an admin command whose checksum is wrong", "virt-hooks: its SHA-256 is", async ({ archive }) => {
  await Deno.writeTextFile(`${archive}/virt-hooks`, "# one more line\n", { append: true });
});
refuses("an archive without checksums", "it has no SHA256SUMS", ({ archive }) => Deno.remove(`${archive}/SHA256SUMS`));
refuses(
  "a file that the checksums do not list",
  "SHA256SUMS does not list it",
  ({ archive }) => sealArchive(archive, ["VERSION", "install.sh", "virt-hooks", "hooks/lxc"]),
);
refuses(
  "an archive without that hook",
  "Cannot find hooks/qemu",
  ({ archive }) => Deno.remove(`${archive}/hooks/qemu`),
);
refuses(
  "an archive without the admin command",
  "Cannot find virt-hooks",
  ({ archive }) => Deno.remove(`${archive}/virt-hooks`),
);
refuses(
  "a binary for another machine",
  "it is built for another machine",
  (stage) => replaceByElf(stage, OTHER_MACHINE),
);
refuses("a binary that cannot be executed", "Cannot install hooks/qemu", (stage) => replaceByElf(stage, THIS_MACHINE));
refuses(
  "a hook that dies with status 133",
  "MemoryDenyWriteExecute",
  (stage) => replaceHook(stage, "echo 'Fatal error: no memory' >&2; exit 133"),
);
refuses("a hook whose loader is missing", "its loader is missing", (stage) => replaceHook(stage, "exit 127"));
refuses(
  "a hook that ends with 3",
  "it ended with status 3 and said: what is this",
  (stage) => replaceHook(stage, "echo what is this; exit 3"),
);
refuses(
  "a hook that needs an environment",
  "it ended with status 4",
  (stage) =>
    replaceHook(
      stage,
      '[ "${DESTDIR-unset}" = unset ] && [ "$PWD" = / ] && [ $# = 0 ] && [ "$LC_ALL" = C ] && exit 4; echo virt-hooks 1.0.0; exit 2',
    ),
);
refuses(
  "a hook that is another version",
  "and said: virt-hooks 0.9.0",
  (stage) => replaceHook(stage, "echo virt-hooks 0.9.0; exit 2"),
);
refuses("an admin command that does not answer", "Cannot install virt-hooks", async ({ archive }) => {
  await writeScript(`${archive}/virt-hooks`, "exit 2");
  await sealArchive(archive, ["VERSION", "install.sh", "virt-hooks", "hooks/qemu"]);
});
refuses(
  "to take the place of another's admin command",
  "a file is there that is not ours",
  ({ destdir }) => writeScript(`${destdir}/usr/local/sbin/virt-hooks`, "echo mine"),
);
refuses("a driver folder that is a file", "Cannot make", async ({ hooks }) => {
  await writeScript(`${hooks}/qemu`, "exit 0");
  await Deno.writeTextFile(`${hooks}/qemu.d`, "");
});
refuses("when a step in the middle fails", "everything that was begun was taken back", async ({ destdir, hooks }) => {
  await writeScript(`${hooks}/lxc`, "exit 0");
  await Deno.writeTextFile(`${hooks}/lxc.d`, "");
  await writeScript(`${destdir}/etc/libvirt/hooks/qemu.d/mine`, "exit 0");
}, ["--drivers", "qemu,lxc"]);
refuses("while another install.sh is at work", `(process ${Deno.pid}) is at work`, async ({ destdir }) => {
  await Deno.mkdir(`${destdir}/etc/libvirt/hooks`, { recursive: true });
  await Deno.mkdir(`${destdir}/etc/libvirt/.virt-hooks-stage`);
  await Deno.writeTextFile(`${destdir}/etc/libvirt/.virt-hooks-stage/pid`, `${Deno.pid}\n`);
});

scenario(
  "refuses an update that does not answer and keeps the old version running",
  async ({ destdir, hooks, install, makeArchive }) => {
    await install(["--drivers", "qemu,lxc"]);
    const before = await listTree(destdir, { times: true });
    const broken = await makeArchive("2.0.0", { "hooks/qemu": "#!/bin/sh\nexit 133\n" });
    assertEquals((await install([], broken)).code, 1);
    const folderTimes = /^(etc|etc\/libvirt|usr\/local) 40755 .*$/gm;
    assertEquals(
      (await listTree(destdir, { times: true })).replaceAll(folderTimes, ""),
      before.replaceAll(folderTimes, ""),
    );
    assertStringIncludes(await Deno.readTextFile(`${hooks}/qemu`), "1.0.0");
  },
);

scenario("takes back an update whose last step fails", async ({ destdir, hooks, install, makeArchive }) => {
  await install(["--drivers", "qemu"]);
  await writeScript(`${hooks}/lxc`, "exit 0");
  await Deno.writeTextFile(`${hooks}/lxc.d`, "");
  const before = await listTree(destdir);
  const ran = await install(["--drivers", "lxc"], await makeArchive("2.0.0"));
  assertEquals(ran.code, 1);
  assertStringIncludes(ran.stdout, `put     ${hooks}/qemu\n`);
  assertEquals(await listTree(destdir), before);
});

scenario("clears what a killed install.sh left", async ({ destdir, install }) => {
  await Deno.mkdir(`${destdir}/etc/libvirt/hooks`, { recursive: true });
  await Deno.mkdir(`${destdir}/etc/libvirt/.virt-hooks-stage`);
  await Deno.writeTextFile(`${destdir}/etc/libvirt/.virt-hooks-stage/pid`, "999999999\n");
  assertEquals((await install(["--drivers", "qemu"])).code, 0);
  assertEquals([...Deno.readDirSync(`${destdir}/etc/libvirt`)].map((entry) => entry.name), ["hooks"]);
});
