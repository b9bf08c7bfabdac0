import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { run, type Scenario, scenario, writeScript } from "./scenario.ts";
import { listExecutables, listTree } from "./tree.ts";

/**
 * Runs install.sh in a session of its own, with an `mv` and an `ln` that send `signal` to the whole session right after
 * (or instead of) putting `place`.
 */
async function installStruck(stage: Scenario, signal: "TERM" | "KILL", place: string): Promise<void> {
  const shim = `${stage.folder}/shim`;
  for (const tool of ["mv", "ln"]) {
    await writeScript(
      `${shim}/${tool}`,
      `/bin/${tool} "$@" || exit; for last; do :; done; if [ "$last" = "${place}" ]; then kill -${signal} 0; fi`,
    );
  }
  const { archive, destdir: DESTDIR } = stage;
  await run(["/usr/bin/setsid", "--wait", "/bin/sh", `${archive}/install.sh`, "--drivers", "qemu,lxc"], {
    DESTDIR,
    PATH: `${shim}:/usr/bin:/bin`,
  });
}

scenario("takes everything back when it is ended in the middle", async (stage) => {
  await writeScript(`${stage.hooks}/lxc`, "exit 0");
  const before = await listTree(stage.destdir);
  await installStruck(stage, "TERM", `${stage.hooks}/qemu`);
  assertEquals(await listTree(stage.destdir), before);
});

scenario("killed in the middle knows its own work again, and completes it", async (stage) => {
  const { destdir, hooks, install } = stage;
  await writeScript(`${hooks}/lxc`, "exit 0");
  const before = await listTree(destdir);
  await installStruck(stage, "KILL", `${hooks}/qemu`);
  assertEquals(listExecutables(hooks).sort(), [`${hooks}/lxc`, `${hooks}/qemu`]);
  assertStringIncludes(await listTree(destdir), ".virt-hooks-stage ");
  const status = await install(["--status"]);
  assertEquals(status.code, 1);
  assertStringIncludes(status.stdout, "unfinished: install.sh is at work, or was interrupted");

  const ran = await install(["--drivers", "qemu,lxc"]);
  assertEquals(ran.code, 0, ran.stderr);
  assertEquals(listExecutables(hooks).sort(), ["lxc", "lxc.d/50-virt-hooks", "qemu"].map((name) => `${hooks}/${name}`));
  assertEquals((await install(["--uninstall"])).code, 0);
  assertEquals(await listTree(destdir), before);
});
