/**
 * Heavier than the other tests of this folder: it compiles. It needs a denort, which is fetched when none is cached.
 * @module
 */
import { build } from "../../build/build.ts";
import { BuildError } from "../../build/build_error.ts";
import { sha256OfFile } from "../../build/checksum.ts";
import { findDenort } from "../../build/denort.ts";
import { PINNED_DENO } from "../../build/denort_packages.ts";
import { hostTarget } from "../../build/target.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const SOURCES: readonly string[] = [
  ...["hooks", "lib", "cli.ts", "build.ts", "deno.json", "deno.lock", "import_map.json"],
];

const NAME = "two builds of one binary from two directories give the same bytes, and a third one does nothing";
const missing = await missingDenort();
// On a build server a missing prerequisite is a failure, so there the test runs and says what is missing.
const ignore = missing !== undefined && Deno.env.get("CI") !== "true";
if (ignore) Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED: ${NAME}: ${missing}\n`));

Deno.test({ name: NAME, ignore }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const first = await buildCopy(ROOT, `${folder}/one`);
    // From the first copy, so that an edit of the checkout meanwhile cannot come between them.
    const second = await buildCopy(`${folder}/one`, `${folder}/a longer path/with other lengths/two`);
    assert(first.sha256 !== undefined, "the first build left no binary");
    assertEquals(second.sha256, first.sha256);
    assertEquals([first.upToDate, second.upToDate], [false, false]);
    const [again] = await build({ root: `${folder}/one`, targets: [hostTarget()], only: ["qemu"] });
    assertEquals(again?.upToDate, true);
    await checkSums(`${folder}/one/dist/${hostTarget()}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Why this Deno cannot compile here, if so: beside the pinned version, only its own download brings a denort. */
async function missingDenort(): Promise<string | undefined> {
  try {
    await findDenort({ target: hostTarget(), given: undefined, onProgress: () => {} });
    return undefined;
  } catch (error) {
    if (error instanceof BuildError && Deno.version.deno !== PINNED_DENO) return error.message;
    throw error;
  }
}

async function buildCopy(
  from: string,
  root: string,
): Promise<{ readonly sha256: string | undefined; readonly upToDate: boolean }> {
  await Deno.mkdir(root, { recursive: true });
  const present = [...Deno.readDirSync(from)].map(({ name }) => name).filter((name) => SOURCES.includes(name));
  // A copy made now: every file has another modification time than in the checkout.
  const copied = await new Deno.Command("cp", { args: ["-r", ...present.map((name) => `${from}/${name}`), root] })
    .output();
  assert(copied.success, new TextDecoder().decode(copied.stderr));
  const [built] = await build({ root, targets: [hostTarget()], only: ["qemu"] });
  return { sha256: await sha256OfFile(`${built?.folder}/hooks/qemu`), upToDate: built?.upToDate ?? true };
}

async function checkSums(folder: string): Promise<void> {
  const { code, stdout } = await new Deno.Command("sha256sum", { args: ["-c", "SHA256SUMS"], cwd: folder }).output();
  assertEquals(code, 0);
  assertEquals(new TextDecoder().decode(stdout), "VERSION: OK\nhooks/qemu: OK\n");
}
