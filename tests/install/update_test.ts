import { assert, assertEquals } from "../support/assert.ts";
import { fireAt, watchExecutables } from "./fire.ts";
import { inFreshFolder, run, scenario, writeScript } from "./scenario.ts";

const GUEST_START = { args: ["guest", "prepare", "begin", "-"], code: 0 };

scenario("updates while libvirt calls without a pause: no call fails, nothing stray appears", async (stage) => {
  const { archive, hooks, install, makeArchive } = stage;
  await writeScript(`${hooks}/lxc`, "exit 0");
  const other = await makeArchive("2.0.0");
  const calls = fireAt([`${hooks}/qemu`, `${hooks}/lxc.d/50-virt-hooks`], GUEST_START);
  await install(["--drivers", "qemu,lxc"]);
  const allowed = ["lxc", "lxc.d/50-virt-hooks", "qemu"].map((name) => `${hooks}/${name}`);
  const watch = watchExecutables(hooks, allowed);
  const fired = calls.start();
  for (const from of [other, archive, other]) assertEquals((await install([], from)).code, 0);
  calls.stop();
  const { count, failures } = await fired;
  assertEquals(failures, []);
  assert(count > 20, `only ${count} calls were made meanwhile`);
  const seen = await watch.stop();
  assertEquals(seen.strays, []);
  assert(seen.looks > 20, `only ${seen.looks} looks were taken meanwhile`);
});

Deno.test("fireAt() counts the failures of an installer that removes and copies", async () => {
  await inFreshFolder(async (folder) => {
    await writeScript(`${folder}/hook`, "exit 0");
    await writeScript(`${folder}/new`, "exit 0");
    const calls = fireAt([`${folder}/hook`], GUEST_START);
    const fired = calls.start();
    const clumsy = `i=0; while [ $i -lt 60 ]; do rm hook; sleep 0.005; cp new hook; i=$((i + 1)); done`;
    await run(["/bin/sh", "-c", `cd "$0" && ${clumsy}`, folder], { PATH: "/usr/bin:/bin" });
    calls.stop();
    assert((await fired).failures.length > 0);
  });
});

Deno.test("watchExecutables() sees a stray executable, also a hidden one", async () => {
  await inFreshFolder(async (folder) => {
    await writeScript(`${folder}/qemu`, "exit 0");
    const watch = watchExecutables(folder, [`${folder}/qemu`]);
    await writeScript(`${folder}/qemu.d/.qemu.tmp`, "exit 0");
    await watch.nextLook();
    await Deno.remove(`${folder}/qemu.d/.qemu.tmp`);
    assertEquals((await watch.stop()).strays, [`${folder}/qemu.d/.qemu.tmp`]);
  });
});
