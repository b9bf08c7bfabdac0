import { assert, assertEquals } from "../support/assert.ts";
import { makeArchive } from "./archive.ts";
import { inFreshFolder, type Ran, run, writeScript } from "./scenario.ts";
import { listTree } from "./tree.ts";

/** The programs that install.sh changes files with. */
const TOOLS = ["chmod", "cp", "ln", "mkdir", "mv", "rm", "rmdir", "sync"];
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const AT_ONCE = 2;

/** A host in a folder, and two archives; each run of install.sh can be killed. */
interface Ground {
  readonly folder: string;
  readonly archives: readonly [old: string, next: string];
}

/** What is done: the archive's number, and the arguments. */
interface Step {
  readonly archive: 0 | 1;
  readonly args: readonly string[];
}

const INSTALL: Step = { archive: 0, args: ["--drivers", "qemu,lxc"] };
const UPDATE: Step = { archive: 1, args: [] };
const UNINSTALL: Step = { archive: 1, args: ["--uninstall"] };

const STORIES: readonly { readonly name: string; readonly before: readonly Step[]; readonly killed: Step }[] = [
  { name: "an installation", before: [], killed: INSTALL },
  { name: "an update", before: [INSTALL], killed: UPDATE },
  { name: "an uninstallation", before: [INSTALL], killed: UNINSTALL },
];

async function onGround(use: (ground: Ground) => Promise<void>): Promise<void> {
  await inFreshFolder(async (folder) => {
    const archives = [`${folder}/old`, `${folder}/next`] as const;
    await makeArchive(archives[0], { version: "1.0.0" });
    await makeArchive(archives[1], { version: "2.0.0" });
    // Right before or after the call whose number is in `at`, the whole session is killed.
    for (const tool of TOOLS) {
      await writeScript(
        `${folder}/shim/${tool}`,
        `read -r count <"$KILL_COUNT" || count=0; count=$((count + 1)); echo $count >"$KILL_COUNT"
if [ "$count.before" = "$KILL_AT" ]; then kill -KILL 0; fi
/bin/${tool} "$@"; code=$?
if [ "$count.after" = "$KILL_AT" ]; then kill -KILL 0; fi
exit $code`,
      );
    }
    await use({ folder, archives });
  });
}

async function makeHost(root: string): Promise<void> {
  for (const folder of ["etc/systemd/system", "usr/local/sbin", "usr/local/lib", "var/lib", "var/log"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await writeScript(`${root}/etc/libvirt/hooks/lxc`, "exit 0");
}

function installSh({ archives }: Ground, root: string, step: Step): Promise<Ran> {
  return run(["/bin/sh", `${archives[step.archive]}/install.sh`, ...step.args], { DESTDIR: root, PATH });
}

/** Expects success, and tells what the host is then. */
async function after(ground: Ground, root: string, step: Step): Promise<string> {
  const { code, stderr } = await installSh(ground, root, step);
  assertEquals(code, 0, stderr);
  return await listTree(root);
}

/** Whether it came to the point where it is killed. */
async function kill(ground: Ground, root: string, step: Step, at: string): Promise<boolean> {
  const count = `${root}.count`;
  await Deno.writeTextFile(count, "0\n");
  const { code } = await run(
    ["/usr/bin/setsid", "--wait", "/bin/sh", `${ground.archives[step.archive]}/install.sh`, ...step.args],
    { DESTDIR: root, PATH: `${ground.folder}/shim:${PATH}`, KILL_COUNT: count, KILL_AT: at },
  );
  await Deno.remove(count);
  return code !== 0;
}

for (const { name, before, killed } of STORIES) {
  Deno.test(`install.sh: ${name} killed at any step leaves nothing that the next run does not mend`, async () => {
    await onGround(async (ground) => {
      const { folder } = ground;
      const pristine = `${folder}/pristine`;
      await makeHost(pristine);
      const nothing = await listTree(pristine);
      for (const step of before) await after(ground, pristine, step);
      const whole = `${folder}/whole`;
      await run(["/bin/cp", "-a", pristine, whole], {});
      const wanted = await after(ground, whole, killed);

      let points = 0;
      const playAt = async (at: string): Promise<boolean> => {
        const root = `${folder}/at ${at}`;
        await run(["/bin/cp", "-a", pristine, root], {});
        const wasKilled = await kill(ground, root, killed, at);
        if (wasKilled) {
          points++;
          await run(["/bin/cp", "-a", root, `${root}.away`], {});
          assertEquals(await after(ground, root, killed), wanted, `killed ${at}, then run again`);
          assertEquals(await after(ground, `${root}.away`, UNINSTALL), nothing, `killed ${at}, then uninstalled`);
        }
        for (const done of [root, `${root}.away`]) await run(["/bin/rm", "-rf", done], {});
        return wasKilled;
      };
      for (let count = 1, goesOn = true; goesOn; count += AT_ONCE) {
        const numbers = Array.from({ length: AT_ONCE }, (_, index) => count + index);
        const played = await Promise.all(
          numbers.flatMap((number) => ["before", "after"].map((moment) => playAt(`${number}.${moment}`))),
        );
        goesOn = played.every(Boolean);
      }
      assert(points > 20, `it was killed at only ${points} points`);
    });
  });
}
