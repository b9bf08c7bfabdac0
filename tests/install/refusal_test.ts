import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
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

const RECORD_FOLDER = "var/lib/virt-hooks/install";

/** When this process was started, as the kernel tells it: the 22nd field, counted from the end of the name. */
async function startTime(): Promise<string> {
  const stat = await Deno.readTextFile("/proc/self/stat");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
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
  await Deno.mkdir(`${destdir}/${RECORD_FOLDER}/run.${Deno.pid}.${await startTime()}`, { recursive: true });
});

scenario(
  "refuses an update that does not answer and keeps the old version running",
  async ({ destdir, hooks, install, makeArchive }) => {
    await install(["--drivers", "qemu,lxc"]);
    const before = await listTree(destdir, { times: true });
    const broken = await makeArchive("2.0.0", { "hooks/qemu": "#!/bin/sh\nexit 133\n" });
    assertEquals((await install([], broken)).code, 1);
    const folderTimes = /^(etc|etc\/libvirt|usr\/local|var\/lib\/virt-hooks\/install) 40755 .*$/gm;
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

/** What an interrupted run leaves: its stages, and its turn under a process number that another process has now. */
async function leaveLitter(destdir: string): Promise<void> {
  const stages = ["etc/libvirt/.virt-hooks-stage", "usr/local/.virt-hooks-stage-prefix"];
  for (const folder of [...stages, `${RECORD_FOLDER}/run.${Deno.pid}.1`, `${RECORD_FOLDER}/run.`]) {
    await Deno.mkdir(`${destdir}/${folder}`, { recursive: true });
  }
  for (const folder of stages) await Deno.writeTextFile(`${destdir}/${folder}/before-1`, "an old binary\n");
}

scenario("clears what an interrupted run left, also where nothing else is to do", async ({ destdir, install }) => {
  for (const folder of ["usr/local", "var/lib"]) await Deno.mkdir(`${destdir}/${folder}`, { recursive: true });
  await Deno.mkdir(`${destdir}/etc/libvirt/hooks`, { recursive: true });
  const nothing = await listTree(destdir);
  await leaveLitter(destdir);
  assertEquals((await install(["--drivers", "qemu"])).code, 0);
  const installed = await listTree(destdir);
  assertEquals(installed.split("\n").filter((line) => /stage|run\./.test(line)), []);

  await leaveLitter(destdir);
  const littered = await listTree(destdir);
  assertStringIncludes((await install(["--dry-run"])).stdout, "nothing to do");
  assertEquals(await listTree(destdir), littered);
  const again = await install([]);
  assertEquals([again.code, again.stderr], [0, ""]);
  assertStringIncludes(again.stdout, "Removed what an interrupted install.sh had left");
  assertStringIncludes(again.stdout, "already installed: nothing to do");
  assertEquals(await listTree(destdir), installed);

  await leaveLitter(destdir);
  assertStringIncludes((await install(["--uninstall", "--drivers", "lxc"])).stdout, "is not installed for: lxc");
  assertEquals(await listTree(destdir), installed);
  assertEquals((await install(["--uninstall"])).code, 0);
  await Deno.mkdir(`${destdir}/${RECORD_FOLDER}/run.${Deno.pid}.1`, { recursive: true });
  assertStringIncludes((await install(["--uninstall"])).stdout, "virt-hooks is not installed");
  assertEquals(await listTree(destdir), nothing);
});

scenario("lets only one of two runs work, and both can be run again", async ({ destdir, hooks, install }) => {
  await Deno.mkdir(`${destdir}/var/lib`, { recursive: true });
  const both = await Promise.all([install(["--drivers", "qemu"]), install(["--drivers", "qemu"])]);
  for (const { code, stderr } of both) if (code !== 0) assertMatch(stderr, /another install\.sh/);
  assertEquals((await install(["--drivers", "qemu"])).code, 0);
  assertEquals((await install(["--status"])).code, 0);
  assertEquals([...Deno.readDirSync(hooks)].map(({ name }) => name), ["qemu"]);
  assertEquals((await install(["--uninstall"])).code, 0);
  assertEquals((await listTree(destdir)).match(/^\S+/gm), ["var", "var/lib"]);
});

scenario("refuses an archive whose VERSION is not that of its programs", async ({ destdir, install, makeArchive }) => {
  await install(["--drivers", "qemu"]);
  const before = await listTree(destdir);
  // Nothing but VERSION is new: no program would be copied.
  const renamed = await makeArchive("1.0.0", { VERSION: "1.0.1\n" });
  const ran = await install([], renamed);
  assertEquals(ran.code, 1);
  assertStringIncludes(ran.stderr, "it must tell that it is virt-hooks 1.0.1");
  assertEquals(await listTree(destdir), before);
  const shorter = await makeArchive("1.0.0", { VERSION: "1.0\n" });
  assertEquals((await install([], shorter)).code, 1);
  assertEquals(await listTree(destdir), before);
});

scenario("says when it goes back to an older version", async ({ install, makeArchive }) => {
  const newer = await makeArchive("1.10.0");
  await install(["--drivers", "qemu"], newer);
  assertStringIncludes((await install([])).stdout, "Downgraded: virt-hooks from 1.10.0 to 1.0.0 for qemu\n");
  assertStringIncludes((await install([], newer)).stdout, "Updated: virt-hooks from 1.0.0 to 1.10.0 for qemu\n");
});

scenario("compares copies with the checksums that it verified", async ({ archive, destdir, install }) => {
  // What an owner of the archive's folder could do meanwhile: the first program that is started changes the next.
  const swapped = "#!/bin/sh\necho virt-hooks 1.0.0\n";
  await writeScript(
    `${archive}/virt-hooks`,
    `cd "${archive}"; printf '${swapped.replaceAll("\n", "\\n")}' >hooks/qemu
sum=$(sha256sum <hooks/qemu); sed -i "s,.*  hooks/qemu\\$,\${sum%% *}  hooks/qemu," SHA256SUMS
if [ "$1" = version ]; then echo "virt-hooks 1.0.0"; fi`,
  );
  await sealArchive(archive, ["VERSION", "install.sh", "virt-hooks", "hooks/qemu"]);
  const ran = await install(["--drivers", "qemu"]);
  assertEquals(await Deno.readTextFile(`${archive}/hooks/qemu`), swapped);
  assertStringIncludes(ran.stderr, "Cannot copy hooks/qemu: the copy differs");
  assertEquals(await listTree(destdir), "");
});
