import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { scenario, writeScript } from "./scenario.ts";

scenario("tells the status of every driver", async ({ destdir, hooks, install }) => {
  const none = await install(["--status"]);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stdout, "virt-hooks is not installed");

  await writeScript(`${hooks}/lxc`, "exit 0");
  await install(["--drivers", "qemu,lxc,network"]);
  for (const name of ["10-net", "10-net.bak", ".10-net.swp", "50-x~"]) {
    await writeScript(`${hooks}/qemu.d/${name}`, "exit 0");
  }
  await Deno.writeTextFile(`${hooks}/qemu.d/README`, "not executable");
  const intact = await install(["--status"]);
  assertEquals(intact.stderr, "");
  assertEquals(intact.code, 0);
  for (
    const line of [
      "virt-hooks 1.0.0, recorded in ",
      `${destdir}/usr/local/sbin/virt-hooks: intact`,
      `  main ${hooks}/qemu: 1.0.0, intact`,
      `  another's ${hooks}/qemu.d/10-net: libvirt runs it too`,
      `  by accident? ${hooks}/qemu.d/10-net.bak: libvirt runs it`,
      `  by accident? ${hooks}/qemu.d/.10-net.swp: libvirt runs it`,
      `  by accident? ${hooks}/qemu.d/50-x~: libvirt runs it`,
      `  another's ${hooks}/qemu.d/README: not executable, libvirt does not run it`,
      `  drop-in ${hooks}/lxc.d/50-virt-hooks: 1.0.0, intact`,
      `  another's ${hooks}/lxc: libvirt runs it too, before everything in lxc.d/`,
      "libxl\n  not installed",
    ]
  ) assertStringIncludes(intact.stdout, line);
});

const DAMAGES = [
  { name: "changed", words: "changed since it was installed", spoil: (path: string) => Deno.writeTextFile(path, "x") },
  { name: "missing", words: "missing", spoil: (path: string) => Deno.remove(path) },
  { name: "not executable", words: "its mode or owner is not", spoil: (path: string) => Deno.chmod(path, 0o644) },
];

for (const { name, words, spoil } of DAMAGES) {
  scenario(`says in the status that a hook is ${name}`, async ({ hooks, install }) => {
    await install(["--drivers", "qemu"]);
    await spoil(`${hooks}/qemu`);
    const ran = await install(["--status"]);
    assertEquals(ran.code, 1);
    assertStringIncludes(ran.stdout, `${hooks}/qemu: 1.0.0, `);
    assertStringIncludes(ran.stdout, words);
  });
}
