import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { sha256 } from "./archive.ts";
import { scenario, writeScript } from "./scenario.ts";
import { listExecutables, listTree } from "./tree.ts";

scenario("keeps another owner's hook and becomes its drop-in", async ({ archive, destdir, hooks, install }) => {
  await writeScript(`${hooks}/qemu`, "echo theirs");
  const theirs = await sha256(`${hooks}/qemu`);
  const ran = await install(["--drivers", "qemu,network"]);
  assertEquals(ran.code, 0, ran.stderr);
  assertStringIncludes(ran.stdout, `Another owner's hook stays at ${hooks}/qemu`);
  assertStringIncludes(ran.stderr, "warning: libvirt runs /etc/libvirt/hooks/qemu BEFORE virt-hooks at every call");
  assertEquals(await sha256(`${hooks}/qemu`), theirs);
  assertEquals(await sha256(`${hooks}/qemu.d/50-virt-hooks`), await sha256(`${archive}/hooks/qemu`));
  assertEquals(listExecutables(hooks).sort(), [`${hooks}/network`, `${hooks}/qemu`, `${hooks}/qemu.d/50-virt-hooks`]);
  const before = await listTree(destdir, { times: true });
  assertStringIncludes((await install([])).stdout, "already installed");
  assertEquals(await listTree(destdir, { times: true }), before);
});

scenario("treats whatever else stands in the main place as another's", async ({ hooks, install }) => {
  await Deno.mkdir(`${hooks}/lxc`, { recursive: true });
  await Deno.symlink("/nowhere", `${hooks}/qemu`);
  await Deno.writeTextFile(`${hooks}/network`, "not executable");
  const ran = await install(["--drivers", "lxc,qemu,network"]);
  assertEquals([ran.code, ran.stderr], [0, ""], "libvirt runs none of these, so there is nothing to warn of");
  assertEquals(Deno.readLinkSync(`${hooks}/qemu`), "/nowhere");
  assertEquals(
    listExecutables(hooks).sort(),
    ["lxc", "network", "qemu"].map((name) => `${hooks}/${name}.d/50-virt-hooks`),
  );
});

scenario("moves to the main place when the other's hook has gone", async ({ hooks, install, makeArchive }) => {
  await writeScript(`${hooks}/qemu`, "echo theirs");
  await install(["--drivers", "qemu"]);
  await Deno.remove(`${hooks}/qemu`);
  const ran = await install([], await makeArchive("2.0.0"));
  assertEquals(ran.code, 0, ran.stderr);
  // The main place is filled before the drop-in goes: no call finds neither.
  assertStringIncludes(ran.stdout, `put     ${hooks}/qemu\nremoved ${hooks}/qemu.d/50-virt-hooks\n`);
  assertEquals(listExecutables(hooks), [`${hooks}/qemu`]);
  await install(["--uninstall"]);
  assertEquals([...Deno.readDirSync(hooks)].length, 0);
});

scenario("steps aside when another replaced our main hook", async ({ hooks, install, makeArchive }) => {
  await install(["--drivers", "qemu"]);
  await writeScript(`${hooks}/qemu`, "echo edited by hand");
  const ran = await install([], await makeArchive("2.0.0"));
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.stderr, `${hooks.slice(hooks.indexOf("/etc/"))}/qemu was changed since we put it there`);
  assertStringIncludes(await Deno.readTextFile(`${hooks}/qemu`), "edited by hand");
  assertStringIncludes(await Deno.readTextFile(`${hooks}/qemu.d/50-virt-hooks`), "2.0.0");
  await install(["--uninstall"]);
  assertEquals(listExecutables(hooks), [`${hooks}/qemu`]);
});

scenario("refuses when both places are another's", async ({ destdir, hooks, install }) => {
  await writeScript(`${hooks}/qemu`, "echo theirs");
  await writeScript(`${hooks}/qemu.d/50-virt-hooks`, "echo theirs too");
  const before = await listTree(destdir);
  const ran = await install(["--drivers", "qemu"]);
  assertEquals(ran.code, 1);
  assertStringIncludes(ran.stderr, "qemu.d/50-virt-hooks: a file is there that is not ours");
  assertEquals(await listTree(destdir), before);
});

const VERSIONS = [
  { library: "libvirt.so.0.6004.0", warns: true, version: "6.4.0" },
  { library: "libvirt.so.0.6005.0", warns: false, version: "6.5.0" },
  { library: "libvirt.so.0.11003.2", warns: false, version: "11.3.2" },
];

scenario("warns where libvirt is too old to run a drop-in", async ({ destdir, hooks, install }) => {
  await writeScript(`${hooks}/qemu`, "echo theirs");
  await Deno.mkdir(`${destdir}/usr/lib64`, { recursive: true });
  for (const { library, warns, version } of VERSIONS) {
    await Deno.writeTextFile(`${destdir}/usr/lib64/${library}`, "");
    await Deno.symlink(library, `${destdir}/usr/lib64/libvirt.so.0`);
    const ran = await install(["--drivers", "qemu", "--dry-run"]);
    assertEquals({ version, warned: ran.stderr.includes(`libvirt is ${version} and runs drop-ins only from 6.5.0`) }, {
      version,
      warned: warns,
    });
    assertStringIncludes((await install(["--status"])).stdout, `libvirt ${version}, hooks in`);
    await Deno.remove(`${destdir}/usr/lib64/libvirt.so.0`);
  }
});
