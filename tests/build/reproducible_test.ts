/**
 * Builds the real sources. It needs a denort, which the build fetches when none is cached.
 * @module
 */
import { build } from "../../build/build.ts";
import { BuildError } from "../../build/build_error.ts";
import { sha256OfFile } from "../../build/checksum.ts";
import { findDenort } from "../../build/denort/find.ts";
import { PINNED_DENO } from "../../build/denort/packages.ts";
import { type BuiltTarget } from "../../build/progress.ts";
import { hostTarget } from "../../build/target.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
/** One hook and the admin command are enough. */
const SOURCES = ["hooks/qemu.ts", "lib", "cli.ts", "deno.json", "deno.lock"] as const;

const missing = await missingDenort();
// On a build server a missing prerequisite is a failure, so there the tests run and report what is missing.
const ignore = missing !== undefined && Deno.env.get("CI") !== "true";
if (ignore) Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED: builds of the real sources: ${missing}\n`));

Deno.test({
  name: "two builds in two folders give the same bytes, and a build without changes does nothing",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const first = await buildCopy(ROOT, `${folder}/one`);
      // From the first copy, so that an edit of the checkout during the test does no harm.
      const second = await buildCopy(`${folder}/one`, `${folder}/a longer path/with other lengths/two`);
      for (const output of ["hooks/qemu", "virt-hooks", "VERSION", "SHA256SUMS"]) {
        const sha256 = await sha256OfFile(`${first.folder}/${output}`);
        assert(sha256 !== undefined, `the first build has no ${output}`);
        assertEquals(await sha256OfFile(`${second.folder}/${output}`), sha256, output);
      }
      assertEquals([first.upToDate, second.upToDate], [false, false]);
      assertEquals((await buildAt(`${folder}/one`)).upToDate, true);
      assertEquals(await checkSums(first.folder), "VERSION: OK\nhooks/qemu: OK\nvirt-hooks: OK\n");
    }),
});

Deno.test({
  name: "a build prints the version in deno.json, a release candidate's too, and repairs a file that was changed",
  ignore,
  fn: () =>
    withFolder(async (root) => {
      const { folder } = await buildCopy(ROOT, root);
      const configuration = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
      await Deno.writeTextFile(`${root}/deno.json`, JSON.stringify({ ...configuration, version: "9.8.7-rc.1" }));
      assertEquals((await buildAt(root)).upToDate, false);
      const { stdout } = await new Deno.Command(`${folder}/virt-hooks`, { args: ["version"] }).output();
      assertEquals(new TextDecoder().decode(stdout), "virt-hooks 9.8.7-rc.1\n");
      assertEquals((await Deno.readTextFile(`${folder}/VERSION`)).split("\n")[0], "9.8.7-rc.1");
      await Deno.writeTextFile(`${folder}/hooks/qemu`, "changed", { append: true });
      assertEquals((await buildAt(root)).upToDate, false);
      await checkSums(folder);
    }),
});

/** Returns why this Deno cannot compile here: only the pinned version has a denort outside Deno's own download. */
async function missingDenort(): Promise<string | undefined> {
  try {
    await findDenort({ target: hostTarget(), given: undefined, onProgress: () => {} });
    return undefined;
  } catch (error) {
    if (error instanceof BuildError && Deno.version.deno !== PINNED_DENO) return error.message;
    throw error;
  }
}

async function buildCopy(from: string, root: string): Promise<BuiltTarget> {
  await Deno.mkdir(root, { recursive: true });
  // The copies have other modification times than the checkout.
  const args = ["-r", "--parents", ...SOURCES, root];
  const copied = await new Deno.Command("cp", { args, cwd: from }).output();
  assert(copied.success, new TextDecoder().decode(copied.stderr));
  return await buildAt(root);
}

async function buildAt(root: string): Promise<BuiltTarget> {
  const [built] = await build({ root, targets: [hostTarget()] });
  assert(built !== undefined, "build() returned no target");
  return built;
}

async function checkSums(folder: string): Promise<string> {
  const { code, stdout } = await new Deno.Command("sha256sum", { args: ["-c", "SHA256SUMS"], cwd: folder }).output();
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout);
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
