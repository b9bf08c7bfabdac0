import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { fireAt, watchExecutables } from "./fire.ts";
import { leaveOut } from "./prerequisite.ts";
import { inFreshFolder, run } from "./scenario.ts";
import { listTree } from "./tree.ts";

const TARGET = `${Deno.build.arch}-unknown-linux-gnu`;
const DIST = decodeURIComponent(new URL(`../../dist/${TARGET}`, import.meta.url).pathname);
/** Without arguments a hook tells its usage: the only call that reads and writes nothing of the host. */
const HARMLESS_CALL = { args: [], code: 2 };

/**
 * A compiled program opens its own file again while it starts: when an update comes between, in these few milliseconds,
 * its file has no name any more. No rename can help that; docs/howto/install.md tells it.
 */
const REPLACED_WHILE_STARTING = "Failed reading standalone binary section";

function isMissing(): boolean {
  try {
    Deno.statSync(`${DIST}/SHA256SUMS`);
    return false;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    leaveOut(`there are no compiled binaries in ${DIST}: run deno task build`);
    return true;
  }
}

Deno.test({
  name: "install.sh installs, updates under calls and uninstalls the compiled binaries",
  ignore: isMissing(),
  fn: () =>
    inFreshFolder(async (folder) => {
      const hooks = `${folder}/etc/libvirt/hooks`;
      const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DESTDIR: folder };
      const install = (...args: string[]) => run(["/bin/sh", `${DIST}/install.sh`, ...args], env);

      const first = await install("--drivers", "qemu,network");
      assertEquals(first.code, 0, first.stderr);
      const installed = await listTree(folder, { times: true });
      assertStringIncludes((await install()).stdout, "already installed: nothing to do");
      assertEquals(await listTree(folder, { times: true }), installed);

      // A mode that is not the right one makes the next run put the same bytes there once more, while the old ones run.
      await Deno.chmod(`${hooks}/qemu`, 0o754);
      const calls = fireAt([`${hooks}/qemu`], HARMLESS_CALL);
      const watch = watchExecutables(hooks, [`${hooks}/qemu`, `${hooks}/network`]);
      const fired = calls.start();
      const update = await install().finally(() => calls.stop());
      const { count, failures } = await fired;
      // Before anything is asserted: what fails must not leave the watch looking at a folder that is gone.
      const { strays } = await watch.stop();
      assertEquals(update.code, 0, update.stderr);
      assertStringIncludes(update.stdout, `put     ${hooks}/qemu\n`);
      assertEquals(failures.filter((failure) => !failure.includes(REPLACED_WHILE_STARTING)), []);
      assert(count > 0, "no call was made meanwhile");
      assertEquals(strays, []);

      assertEquals((await install("--status")).code, 0);
      assertEquals((await install("--uninstall")).code, 0);
      assertEquals(await listTree(folder), "");
    }),
});
