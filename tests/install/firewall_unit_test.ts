import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Scenario, scenario } from "./scenario.ts";
import { listTree } from "./tree.ts";

const UNIT = "etc/systemd/system/virt-hooks-firewall@.service";
const WANTS = ["docker", "firewalld", "libvirtd", "nftables", "ufw", "virtnetworkd"].map((name) =>
  `etc/systemd/system/${name}.service.wants/virt-hooks-firewall@${name}.service`
);

/** Everything of the unit that is there. */
async function unitFiles(destdir: string): Promise<readonly string[]> {
  const paths = (await listTree(destdir)).split("\n").map((line) => line.split(" ")[0] ?? "");
  return paths.filter((path) => path.includes("/virt-hooks-firewall@"));
}

/** A scenario on a host that systemd runs. */
function underSystemd(name: string, play: (stage: Scenario) => Promise<void>): void {
  scenario(name, async (stage) => {
    await Deno.mkdir(`${stage.destdir}/etc/systemd/system`, { recursive: true });
    await play(stage);
  });
}

underSystemd(
  "writes a unit that each service that writes the packet filter starts, and takes it away again",
  async (stage) => {
    const { destdir, install } = stage;
    const before = await listTree(destdir);
    const ran = await install(["--drivers", "network"]);
    assertEquals([ran.code, ran.stderr], [0, ""]);
    assertEquals((await unitFiles(destdir)).toSorted(), [...WANTS, UNIT].toSorted());
    assertEquals(Deno.statSync(`${destdir}/${UNIT}`).mode, 0o100644);
    for (const link of WANTS) assertEquals(await Deno.readLink(`${destdir}/${link}`), `/${UNIT}`);
    const lines = (await Deno.readTextFile(`${destdir}/${UNIT}`)).split("\n");
    for (const key of ["PartOf", "Requisite", "ReloadPropagatedFrom", "After", "WantedBy"]) {
      assert(lines.includes(`${key}=%i.service`), key);
    }
    for (const key of ["ExecStart", "ExecReload"]) {
      assert(lines.includes(`${key}="/usr/local/sbin/virt-hooks" reconcile`), key);
    }
    const status = await install(["--status"]);
    assertEquals(status.code, 0, status.stdout);
    for (const path of [UNIT, ...WANTS]) assertStringIncludes(status.stdout, `${destdir}/${path}: intact\n`);

    const installed = await listTree(destdir, { times: true });
    assertStringIncludes((await install([])).stdout, "already installed: nothing to do");
    assertEquals(await listTree(destdir, { times: true }), installed);
    assertEquals((await install(["--uninstall"])).code, 0);
    assertEquals(await listTree(destdir), before);
  },
);

scenario("writes no unit where systemd is not", async ({ destdir, install }) => {
  await install(["--drivers", "network"]);
  assertEquals(await unitFiles(destdir), []);
});

underSystemd("leaves the unit out for --no-firewall-unit, and remembers it", async (stage) => {
  const { destdir, install, makeArchive } = stage;
  await install(["--drivers", "network", "--no-firewall-unit"]);
  assertEquals(await unitFiles(destdir), []);
  await install([], await makeArchive("2.0.0"));
  assertEquals(await unitFiles(destdir), []);
  assertEquals((await install(["--firewall-unit"])).code, 0);
  assertEquals((await unitFiles(destdir)).toSorted(), [...WANTS, UNIT].toSorted());
  const dry = await install(["--no-firewall-unit", "--dry-run"]);
  for (const path of [UNIT, ...WANTS]) assertStringIncludes(dry.stdout, `would remove  ${destdir}/${path}\n`);
  assertEquals((await install(["--no-firewall-unit"])).code, 0);
  assertEquals(await unitFiles(destdir), []);
  assertStringIncludes((await install([])).stdout, "already installed: nothing to do");
});

underSystemd("adds the unit at an update of an installation that had none", async (stage) => {
  const { destdir, install } = stage;
  await Deno.rename(`${destdir}/etc/systemd`, `${stage.folder}/systemd`);
  await install(["--drivers", "network"]);
  const record = `${destdir}/var/lib/virt-hooks/install/record`;
  const text = await Deno.readTextFile(record);
  await Deno.writeTextFile(record, text.replace(/^firewall-unit .*\n/m, ""));
  await Deno.rename(`${stage.folder}/systemd`, `${destdir}/etc/systemd`);
  assertEquals((await install([])).code, 0);
  assertEquals((await unitFiles(destdir)).toSorted(), [...WANTS, UNIT].toSorted());
});

underSystemd("puts the unit's missing link and wrong mode right again", async ({ destdir, install }) => {
  await install(["--drivers", "network"]);
  await Deno.remove(`${destdir}/${WANTS[0]}`);
  await Deno.chmod(`${destdir}/${UNIT}`, 0o755);
  const status = await install(["--status"]);
  assertEquals(status.code, 1);
  assertStringIncludes(status.stdout, `${destdir}/${WANTS[0]}: missing`);
  assertStringIncludes(status.stdout, `${destdir}/${UNIT}: its bytes are intact, its mode or owner is not`);
  assertEquals((await install([])).code, 0);
  assertEquals((await install(["--status"])).code, 0);
});

underSystemd("keeps a unit that was edited, and a link that leads elsewhere", async (stage) => {
  const { destdir, install, makeArchive } = stage;
  await install(["--drivers", "network"]);
  await Deno.writeTextFile(`${destdir}/${UNIT}`, "# mine\n", { append: true });
  const edited = await Deno.readTextFile(`${destdir}/${UNIT}`);
  await Deno.remove(`${destdir}/${WANTS[1]}`);
  await Deno.symlink("/dev/null", `${destdir}/${WANTS[1]}`);
  const updated = await install([], await makeArchive("2.0.0"));
  assertEquals(updated.code, 0);
  for (const path of [UNIT, WANTS[1]]) {
    assertStringIncludes(updated.stderr, `/${path} is not as we put it there: it is kept`);
  }
  const away = await install(["--uninstall"]);
  assertEquals(away.code, 0);
  for (const path of [UNIT, WANTS[1]]) assertStringIncludes(away.stdout, `kept    ${destdir}/${path} (changed`);
  assertEquals((await unitFiles(destdir)).toSorted(), [`${WANTS[1]}`, UNIT].toSorted());
  assertEquals(await Deno.readTextFile(`${destdir}/${UNIT}`), edited);
});

underSystemd("leaves another owner's unit of that name alone", async ({ destdir, install }) => {
  await Deno.symlink("/dev/null", `${destdir}/${UNIT}`);
  const ran = await install(["--drivers", "network"]);
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.stderr, `/${UNIT} is another owner's: it stays`);
  assertEquals(await unitFiles(destdir), [UNIT]);
  await install(["--uninstall"]);
  assertEquals(await unitFiles(destdir), [UNIT]);
});

underSystemd("takes the unit back when a later step fails, also a newer one", async (stage) => {
  const { destdir, folder, hooks, install } = stage;
  const prefix = ["--prefix", '/opt/50% "virt" \\ hooks'];
  await install(["--drivers", "network", ...prefix]);
  const path = `${destdir}/${UNIT}`;
  const text = await Deno.readTextFile(path);
  assertStringIncludes(text, 'ExecStart="/opt/50%% \\"virt\\" \\\\ hooks/sbin/virt-hooks" reconcile\n');
  await Deno.remove(`${destdir}/${WANTS[3]}`);
  await Deno.remove(`${destdir}/etc/systemd/system/nftables.service.wants`);
  await Deno.writeTextFile(`${destdir}/etc/systemd/system/nftables.service.wants`, "");
  await Deno.chmod(path, 0o600);
  const before = await listTree(destdir);
  const ran = await install([]);
  assertEquals(ran.code, 1, `${folder} ${hooks}`);
  assertEquals(await listTree(destdir), before);
});
