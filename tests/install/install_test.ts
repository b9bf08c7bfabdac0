import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { sealArchive } from "./archive.ts";
import { scenario, writeScript } from "./scenario.ts";
import { listExecutables, listTree } from "./tree.ts";

scenario("installs what was asked for, with the right modes, and nothing else", async ({ destdir, install }) => {
  const ran = await install(["--drivers", "qemu,network"]);
  assertEquals(ran.stderr, "");
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.stdout, "Installed: virt-hooks 1.0.0 for qemu network");
  const uid = Deno.uid();
  const tree = (await listTree(destdir)).split("\n").map((line) => line.split(" ").slice(0, 3).join(" "));
  assertEquals(tree.filter((line) => !/^(etc|usr|var)(\/(lib|local|log|libvirt))*(\/sbin)? /.test(line)), [
    `etc/libvirt/hooks 40755 ${uid}:${Deno.gid()}`,
    `etc/libvirt/hooks/network 100755 ${uid}:${Deno.gid()}`,
    `etc/libvirt/hooks/qemu 100755 ${uid}:${Deno.gid()}`,
    `etc/virt-hooks 40755 ${uid}:${Deno.gid()}`,
    `etc/virt-hooks/rules.d 40755 ${uid}:${Deno.gid()}`,
    `etc/virt-hooks/rules.toml 100644 ${uid}:${Deno.gid()}`,
    `usr/local/lib/virt-hooks 40755 ${uid}:${Deno.gid()}`,
    `usr/local/lib/virt-hooks/install.sh 100755 ${uid}:${Deno.gid()}`,
    `usr/local/sbin/virt-hooks 100755 ${uid}:${Deno.gid()}`,
    `var/lib/virt-hooks 40755 ${uid}:${Deno.gid()}`,
    `var/lib/virt-hooks/install 40755 ${uid}:${Deno.gid()}`,
    `var/lib/virt-hooks/install/record 100644 ${uid}:${Deno.gid()}`,
    `var/log/virt-hooks 40700 ${uid}:${Deno.gid()}`,
  ]);
});

scenario("writes a rules file without an active rule", async ({ destdir, install }) => {
  await install(["--drivers", "qemu"]);
  const lines = (await Deno.readTextFile(`${destdir}/etc/virt-hooks/rules.toml`)).split("\n");
  assert(lines.length > 5);
  assertEquals(lines.filter((line) => line !== "" && !line.startsWith("#")), []);
});

scenario("run twice changes nothing, not even a time", async ({ destdir, install }) => {
  await install(["--drivers", "qemu,network"]);
  const before = await listTree(destdir, { times: true });
  const ran = await install(["--drivers", "qemu,network"]);
  assertStringIncludes(ran.stdout, "virt-hooks 1.0.0 is already installed: nothing to do");
  assertEquals(ran.code, 0);
  const plain = await install([]);
  assertStringIncludes(plain.stdout, "already installed");
  assertEquals(await listTree(destdir, { times: true }), before);
});

scenario("puts a removed or re-moded hook right again", async ({ hooks, install }) => {
  await install(["--drivers", "qemu,lxc"]);
  await Deno.remove(`${hooks}/qemu`);
  await Deno.chmod(`${hooks}/lxc`, 0o775);
  assertEquals((await install([])).code, 0);
  assertEquals(Deno.statSync(`${hooks}/qemu`).mode, 0o100755);
  assertEquals(Deno.statSync(`${hooks}/lxc`).mode, 0o100755);
});

scenario("keeps the drivers that are there and updates them along", async ({ hooks, install, makeArchive }) => {
  await install(["--drivers", "qemu"]);
  const ran = await install(["--drivers", "lxc"], await makeArchive("1.1.0"));
  assertStringIncludes(ran.stdout, "Updated: virt-hooks from 1.0.0 to 1.1.0 for qemu lxc\nTo go back: ");
  assertStringIncludes(await Deno.readTextFile(`${hooks}/qemu`), "1.1.0");
});

scenario("dry run prints every step and changes nothing", async ({ destdir, folder, hooks, install }) => {
  await writeScript(`${hooks}/lxc`, "exit 0");
  const before = await listTree(folder, { times: true });
  const dry = await install(["--drivers", "qemu,lxc", "--dry-run"]);
  assertEquals(dry.code, 0);
  assertStringIncludes(dry.stdout, "Dry run: nothing was changed");
  assertEquals(await listTree(folder, { times: true }), before);

  const real = await install(["--drivers", "qemu,lxc"]);
  const steps = (text: string, words: RegExp): string[] =>
    text.split("\n").filter((line) => words.test(line)).map((line) =>
      line.replace(/^(would )?\w+ +/, "").split(" (")[0] ?? ""
    );
  const planned = steps(dry.stdout, /^would (make|put) /);
  assert(planned.includes(`${destdir}/etc/libvirt/hooks/lxc.d/50-virt-hooks`));
  assertEquals(steps(real.stdout, /^(made|put) /), planned);

  const installed = await listTree(folder, { times: true });
  const away = await install(["--uninstall", "--dry-run"]);
  assertStringIncludes(away.stdout, `would remove  ${hooks}/qemu\n`);
  assertEquals(await listTree(folder, { times: true }), installed);
});

scenario("obeys --prefix and --hooks-dir, remembers them, and refuses others", async ({ destdir, install }) => {
  const ran = await install([
    "--drivers=qemu",
    "--prefix=/opt/virt hooks/",
    "--hooks-dir",
    "/usr/local/etc/my libvirt/hooks",
  ]);
  assertEquals(ran.code, 0, ran.stderr);
  assertEquals(listExecutables(destdir).sort(), [
    `${destdir}/opt/virt hooks/lib/virt-hooks/install.sh`,
    `${destdir}/opt/virt hooks/sbin/virt-hooks`,
    `${destdir}/usr/local/etc/my libvirt/hooks/qemu`,
  ]);
  assertStringIncludes((await install([])).stdout, "already installed");
  const other = await install(["--prefix", "/usr"]);
  assertEquals(other.code, 1);
  assertStringIncludes(
    other.stderr,
    "Cannot install with --prefix /usr: virt-hooks is installed with --prefix /opt/virt hooks",
  );
  assertEquals((await install(["--uninstall"])).code, 0);
  assertEquals(await listTree(destdir), "");
});

const LIBVIRTS = [
  {
    name: "Debian",
    files: [
      "usr/sbin/libvirtd",
      ...["qemu", "network", "lxc"].map((name) =>
        `usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_${name}.so`
      ),
    ],
    want: "daemon qemu lxc network",
  },
  {
    name: "Fedora and SUSE",
    files: [
      "usr/sbin/virtqemud",
      "usr/sbin/virtnetworkd",
      ...["qemu", "network"].map((name) => `usr/lib64/libvirt/connection-driver/libvirt_driver_${name}.so`),
    ],
    want: "daemon qemu network",
  },
  {
    name: "Arch",
    files: ["usr/bin/libvirtd", "usr/lib/libvirt/connection-driver/libvirt_driver_libxl.so"],
    want: "daemon libxl",
  },
  {
    name: "a host with daemons alone",
    files: ["usr/bin/virtlxcd", "usr/local/sbin/virtxend"],
    want: "daemon lxc libxl",
  },
] as const;

for (const { name, files, want } of LIBVIRTS) {
  scenario(`finds the drivers of ${name}, and says by which file`, async ({ destdir, install }) => {
    for (const file of files) await writeScript(`${destdir}/${file}`, "exit 0");
    const ran = await install([]);
    assertEquals(ran.code, 0, ran.stderr);
    assertStringIncludes(ran.stdout, `for ${want}\n`);
    assertStringIncludes(ran.stdout, `libvirt has it: /${files[0]}`);
  });
}

scenario("takes a driver that libvirt got later, unless drivers were chosen", async ({ destdir, install }) => {
  await writeScript(`${destdir}/usr/sbin/virtqemud`, "exit 0");
  await install([]);
  await writeScript(`${destdir}/usr/sbin/virtlxcd`, "exit 0");
  assertStringIncludes((await install([])).stdout, "for daemon qemu lxc\n");
  await writeScript(`${destdir}/usr/sbin/virtnetworkd`, "exit 0");
  await install(["--drivers", "qemu"]);
  assertStringIncludes((await install([])).stdout, "already installed");
});

scenario("without a libvirt asks for --drivers", async ({ destdir, install }) => {
  const ran = await install([]);
  assertEquals(ran.code, 1);
  assertStringIncludes(ran.stderr, "no libvirt was found under");
  assertStringIncludes(ran.stderr, "--drivers daemon,qemu,network");
  assertEquals(await listTree(destdir), "");
});

scenario("started in a source checkout takes dist/, or says how to build it", async ({ folder, archive, install }) => {
  const checkout = `${folder}/check out`;
  await writeScript(`${checkout}/hooks/qemu.ts`, "");
  await Deno.copyFile(`${archive}/install.sh`, `${checkout}/install.sh`);
  const unbuilt = await install(["--drivers", "qemu"], checkout);
  assertEquals(unbuilt.code, 1);
  assertStringIncludes(unbuilt.stderr, "run: deno task build");

  const dist = `${checkout}/dist/${Deno.build.arch}-unknown-linux-gnu`;
  await Deno.mkdir(`${checkout}/dist`);
  await Deno.rename(archive, dist);
  const built = await install(["--drivers", "qemu"], checkout);
  assertEquals(built.code, 0, built.stderr);
  assertStringIncludes(built.stdout, `This is a source checkout: installing from ${dist}`);
});

scenario("needs no archive to tell the status and to uninstall", async ({ destdir, install }) => {
  await install(["--drivers", "qemu"]);
  const copy = `${destdir}/usr/local/lib/virt-hooks`;
  assertEquals((await install(["--status"], copy)).code, 0);
  const again = await install([], copy);
  assertStringIncludes(again.stderr, "there is no hooks/ beside this install.sh");
  assertEquals((await install(["--uninstall"], copy)).code, 0);
  assertEquals(await listTree(destdir), "");
});

scenario("accepts checksums in binary mode and with ./", async ({ archive, install }) => {
  await sealArchive(archive, ["VERSION", "install.sh", "virt-hooks", "hooks/qemu"]);
  const sums = await Deno.readTextFile(`${archive}/SHA256SUMS`);
  await Deno.writeTextFile(`${archive}/SHA256SUMS`, sums.replaceAll("  ", " *./"));
  assertEquals((await install(["--drivers", "qemu"])).code, 0);
});
