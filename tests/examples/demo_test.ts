/**
 * `deno task demo` as a user runs it: with a private root, on a machine that refuses one, and as an unprivileged user.
 */
import { cacheFolder } from "../../build/denort/find.ts";
import { demoStories } from "../../examples/demo/demo_stories.ts";
import { privateRootRefusal } from "../../lib/story/private_root.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const WIDTH_MAX = 100;
const LINES_MAX = 60;
const NOBODY = 65534;
const DENORT = Deno.env.get("DENORT_BIN");
/** Paths that exist in the demo's private root, and that it must not create or change on this machine. */
const WATCHED = [
  ...["/etc/virt-hooks", "/etc/libvirt/hooks", "/var/log/virt-hooks", "/run/virt-hooks", "/usr/local/sbin"],
  ...["/run/maintenance", "/run/watched-guests", "/run/notices", "/run/networks", "/opt/demo", "/srv/images"],
] as const;

const REFUSAL = await privateRootRefusal();
const MUST_RUN = Deno.env.get("CI") === "true";

/** A test that needs a private root; in CI it fails without one. */
function testInside(name: string, fn: () => Promise<void>): void {
  const note = REFUSAL === undefined ? "" : ` (NOT RUN: this machine refuses a private root: ${REFUSAL})`;
  Deno.test({ name: `demo: ${name}${note}`, ignore: REFUSAL !== undefined && !MUST_RUN, fn });
}

testInside("plays the first story in fewer than 60 lines and says how to see the others", async () => {
  const before = listing();
  const { exitCode, stdout } = await demo();
  assertEquals(exitCode, 0, stdout);
  assertEquals(saysMissing(stdout, demoStories().slice(0, 1)), []);
  assertStringIncludes(stdout, "deno task demo --all plays 2 more stories");
  assert(stdout.split("\n").length <= LINES_MAX, `more than ${LINES_MAX} lines:\n${stdout}`);
  checkLook(stdout);
  assertEquals(listing(), before);
});

testInside("plays every story with --all, and with --step waits for a line after each call", async () => {
  const before = listing();
  const { exitCode, stdout } = await demo({ args: ["--all", "--step"], stdin: "\n\n" });
  assertEquals(exitCode, 0, stdout);
  assertEquals(saysMissing(stdout, demoStories()), []);
  assertEquals(stdout.split("[Enter]").length - 1, demoStories().flatMap(({ calls }) => calls).length);
  assertStringIncludes(stdout, '    stderr  virt-hooks: rule "maintenance": hv-01 is in maintenance');
  checkLook(stdout);
  assertEquals(listing(), before);
});

testInside("runs from a clone that an unprivileged user owns, or says why it cannot make a private root", async () => {
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-clone-" });
  try {
    const deno = await cloneForUnprivilegedUser(folder);
    const environment = {
      ...{ HOME: folder, TMPDIR: folder, DENO_DIR: `${folder}/deno`, XDG_CACHE_HOME: `${folder}/.cache` },
      ...(DENORT === undefined ? {} : { DENORT_BIN: `${folder}/denort` }),
    };
    const there = Array.from(Deno.readDirSync(folder), ({ name }) => name).toSorted();
    const { exitCode, stdout } = await demo({ deno, environment, cwd: `${folder}/clone` });
    assertEquals(exitCode, 0, stdout);
    assert(/^ {4}exit 0 {2}done/m.test(stdout) || stdout.includes("This machine refuses a private root"), stdout);
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name).toSorted(), there);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("demo: explains the calls on a machine that refuses a private root", async () => {
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-refusing-" });
  try {
    const refusing = "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n";
    await Deno.writeTextFile(`${folder}/unshare`, refusing, { mode: 0o755 });
    const before = listing();
    const { exitCode, stdout } = await demo({ environment: { PATH: `${folder}:${Deno.env.get("PATH")}` } });
    assertEquals(exitCode, 0, stdout);
    assertStringIncludes(stdout, "    unshare: unshare failed: Operation not permitted\n");
    assertStringIncludes(stdout, '    | rule "databases" matches: ');
    assert(!stdout.includes("exit 0"), "a hook was run");
    checkLook(stdout);
    assertEquals(listing(), before);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("demo: refuses an unknown argument with its usage", async () => {
  const { exitCode, stdout } = await demo({ args: ["--everything"] });
  assertEquals(exitCode, 2);
  assertStringIncludes(stdout, 'error: Unknown argument "--everything"\nUsage: deno task demo');
});

/** Returns the sentences of stories that the output does not have. */
function saysMissing(stdout: string, stories: ReturnType<typeof demoStories>): readonly string[] {
  const text = stdout.replace(/\s+/g, " ");
  return stories.flatMap(({ about, calls }) => [about, ...calls.map(({ say }) => say ?? 'a call without "say"')])
    .filter((say) => !text.includes(say));
}

/**
 * Copies the working tree and Deno's packages into a folder; root gives them to an unprivileged user.
 * Returns the words that run Deno as the owner.
 */
async function cloneForUnprivilegedUser(folder: string): Promise<readonly string[]> {
  await Deno.mkdir(`${folder}/clone`);
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  await run([
    "cp",
    "-r",
    ...["build", "lib", "hooks", "examples", "dist", "cli.ts", "deno.json", "deno.lock", "install.sh"]
      .map((name) => `${ROOT}${name}`),
    `${folder}/clone`,
  ]);
  // Only the packages: other runs of Deno write to its databases meanwhile.
  await run(["mkdir", `${folder}/deno`]);
  await run(["cp", "-r", `${denoDir}/npm`, `${folder}/deno/npm`]);
  await run(["cp", Deno.execPath(), `${folder}/deno-program`]);
  await run(["mkdir", "-p", `${folder}/.cache/virt-hooks`]);
  if (DENORT === undefined) await run(["cp", "-r", cacheFolder(), `${folder}/.cache/virt-hooks/denort`]);
  else await run(["cp", DENORT, `${folder}/denort`]);
  if (Deno.uid() !== 0) return [`${folder}/deno-program`];
  await run(["chown", "-R", `${NOBODY}:${NOBODY}`, folder]);
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--", `${folder}/deno-program`];
}

async function run(words: readonly [string, ...string[]]): Promise<void> {
  const [program, ...args] = words;
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`Cannot run ${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

function checkLook(stdout: string): void {
  assert(!stdout.includes("\x1b"), "colour where there is no terminal");
  const tooWide = stdout.split("\n").filter((line) => [...line].length > WIDTH_MAX && !line.includes(ROOT));
  assertEquals(tooWide, [], `lines of more than ${WIDTH_MAX} characters`);
}

interface DemoOptions {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** The words that run Deno. */
  readonly deno?: readonly string[];
  readonly cwd?: string;
}

async function demo(
  { args = [], environment = {}, stdin = "", deno = [Deno.execPath()], cwd = ROOT }: DemoOptions = {},
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  const words = [...deno, "run", "-A", "--lock=deno.lock", "--frozen", "examples/demo/demo.ts", ...args];
  const [program = "", ...rest] = words;
  const child = new Deno.Command(program, {
    args: rest,
    cwd,
    env: { NO_COLOR: "1", ...environment },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { exitCode: code, stdout: decoder.decode(stdout) + (code === 0 ? "" : decoder.decode(stderr)) };
}

/** Lists what exists at the watched paths of this machine. */
function listing(): readonly string[] {
  return WATCHED.flatMap(namesBelow);
}

function namesBelow(path: string): readonly string[] {
  let facts: Deno.FileInfo;
  try {
    facts = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  // The time of a folder changes with every entry, also of other programs.
  const line = `${path} ${facts.mode} ${facts.uid} ${facts.isFile ? `${facts.size} ${facts.mtime?.getTime()}` : ""}`;
  if (!facts.isDirectory) return [line];
  return [line, ...Array.from(Deno.readDirSync(path)).flatMap(({ name }) => namesBelow(`${path}/${name}`))];
}
