import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { scenario, writeScript } from "./scenario.ts";
import { listTree } from "./tree.ts";

scenario("uninstalls to exactly what was there", async ({ destdir, hooks, install, makeArchive }) => {
  await writeScript(`${hooks}/qemu`, "echo theirs");
  await writeScript(`${hooks}/network.d/10-theirs`, "echo theirs");
  await writeScript(`${destdir}/usr/sbin/libvirtd`, "exit 0");
  await Deno.mkdir(`${destdir}/var/log`, { recursive: true });
  await Deno.chmod(`${destdir}/var/log`, 0o750);
  const before = await listTree(destdir);
  await install(["--drivers", "daemon,qemu,network"]);
  await install([], await makeArchive("2.0.0"));
  const ran = await install(["--uninstall"]);
  assertEquals(ran.stderr, "");
  assertEquals(ran.code, 0);
  assertEquals(await listTree(destdir), before);
  const again = await install(["--uninstall"]);
  assertEquals(again.code, 0);
  assertStringIncludes(again.stdout, "virt-hooks is not installed");
  assertEquals(await listTree(destdir), before);
});

scenario("never overwrites a rules file and keeps it when it was edited", async ({ destdir, install, makeArchive }) => {
  const rules = `${destdir}/etc/virt-hooks/rules.toml`;
  await install(["--drivers", "qemu"]);
  await Deno.writeTextFile(rules, "# mine\n");
  await install([], await makeArchive("2.0.0"));
  assertEquals(await Deno.readTextFile(rules), "# mine\n");
  await Deno.writeTextFile(`${destdir}/var/log/virt-hooks/history.jsonl`, "{}\n");
  const ran = await install(["--uninstall"]);
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.stdout, `kept    ${rules}`);
  assertStringIncludes(ran.stdout, `kept    ${destdir}/var/log/virt-hooks/ (not empty)`);
  const left = (await listTree(destdir)).split("\n").map((line) => line.split(" ")[0]);
  assertEquals(left, [
    "etc",
    "etc/virt-hooks",
    "etc/virt-hooks/rules.toml",
    "var",
    "var/log",
    "var/log/virt-hooks",
    "var/log/virt-hooks/history.jsonl",
  ]);
});

scenario("leaves a rules file alone that was there before", async ({ destdir, install }) => {
  await Deno.mkdir(`${destdir}/etc/virt-hooks`, { recursive: true });
  await Deno.writeTextFile(`${destdir}/etc/virt-hooks/rules.toml`, "# mine, from long ago\n");
  const before = await listTree(destdir);
  await install(["--drivers", "qemu"]);
  await install(["--uninstall"]);
  assertEquals(await listTree(destdir), before);
});

scenario("uninstalls nothing while something is held", async ({ destdir, install }) => {
  await install(["--drivers", "qemu"]);
  const ledger = `${destdir}/run/virt-hooks/ledger`;
  const demand = `${ledger}/resources/0a/demands/h-1-2.json`;
  await Deno.mkdir(`${ledger}/resources/0a/demands`, { recursive: true });
  await Deno.writeTextFile(demand, "{}\n");
  const before = await listTree(destdir);
  const refused = await install(["--uninstall"]);
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "Cannot uninstall: guests or networks still hold something of this host");
  assertStringIncludes(refused.stderr, '"virt-hooks release HOLDER"');
  assertEquals(refused.stderr.includes("rm -r"), false, "it would lose the original values");
  assertEquals(await listTree(destdir), before);
  await Deno.remove(demand);
  assertEquals((await install(["--uninstall"])).code, 0);
  assertEquals((await listTree(destdir)).split("\n").filter((line) => line.includes("virt-hooks")), []);
});

scenario("uninstalls one driver and keeps the others", async ({ destdir, hooks, install }) => {
  await install(["--drivers", "qemu"]);
  const before = await listTree(destdir);
  await install(["--drivers", "lxc"]);
  assertEquals((await install(["--uninstall", "--drivers", "lxc"])).code, 0);
  assertEquals(await listTree(destdir), before);
  assertStringIncludes((await install(["--status"])).stdout, `lxc\n  not installed`);
  await install(["--uninstall", "--drivers", "qemu"]);
  assertEquals(await listTree(destdir), "");
  assertEquals(hooks.startsWith(destdir), true);
});

scenario("keeps a hook that was changed by hand", async ({ hooks, install }) => {
  await install(["--drivers", "qemu"]);
  await Deno.writeTextFile(`${hooks}/qemu`, "# and mine\n", { append: true });
  const ran = await install(["--uninstall"]);
  assertEquals(ran.code, 0);
  assertStringIncludes(ran.stdout, `kept    ${hooks}/qemu (changed since we put it there: it is yours now)`);
  assertStringIncludes(await Deno.readTextFile(`${hooks}/qemu`), "# and mine");
});
