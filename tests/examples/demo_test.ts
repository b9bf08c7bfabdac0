/**
 * `deno task demo`, run as people run it: with a private root, and on a machine that refuses one.
 */
import { acts } from "../../examples/demo/scenes.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { openPrivateRoot } from "../support/private_root.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const WIDTH_MAX = 100;
/** What the demo has in its private root, and must not have made or changed on this machine. */
const WATCHED = [
  ...["/etc/virt-hooks", "/etc/libvirt/hooks", "/var/log/virt-hooks", "/run/virt-hooks", "/usr/local/sbin"],
  ...["/run/maintenance", "/run/watched-guests", "/run/notices", "/run/networks", "/opt/demo", "/srv/images"],
] as const;

const REFUSAL = await privateRootRefusal();
const MUST_RUN = Deno.env.get("CI") === "true";

Deno.test({
  name: `demo: plays every scene and leaves this machine alone${
    REFUSAL === undefined ? "" : `: IS NOT TRIED, THIS MACHINE GIVES NO PRIVATE ROOT: ${REFUSAL}`
  }`,
  ignore: REFUSAL !== undefined && !MUST_RUN,
  fn: async () => {
    const before = listing();
    const { exitCode, stdout } = await demo({});
    assertEquals(exitCode, 0, stdout);
    const told = stdout.split("\n").filter((line) => /^ {2}\S/.test(line)).map((line) => line.trim());
    const asked = acts().flatMap((act) => act.steps).flatMap((step) => "asked" in step ? [step.asked] : []);
    assertEquals(asked.filter((text) => text !== undefined && !told.includes(text)), []);
    assertStringIncludes(stdout, '    stderr  virt-hooks: rule "maintenance": hv-01 is in maintenance');
    assertStringIncludes(stdout, "    exit 1  refused, ");
    assertStringIncludes(stdout, "    left    nothing");
    checkLook(stdout);
    assertEquals(listing(), before);
  },
});

Deno.test("demo: explains instead on a machine that refuses a private root", async () => {
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-refusing-" });
  try {
    const refusing = "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n";
    await Deno.writeTextFile(`${folder}/unshare`, refusing, { mode: 0o755 });
    const before = listing();
    const { exitCode, stdout } = await demo({ PATH: `${folder}:${Deno.env.get("PATH")}` });
    assertEquals(exitCode, 0, stdout);
    assertStringIncludes(stdout, "    unshare: unshare failed: Operation not permitted\n");
    assertStringIncludes(stdout, '    | rule "storage is there" matches: ');
    assert(!stdout.includes("exit 0"), "no hook was run");
    checkLook(stdout);
    assertEquals(listing(), before);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function checkLook(stdout: string): void {
  assert(!stdout.includes("\x1b"), "colour where there is no terminal");
  const tooWide = stdout.split("\n").filter((line) => [...line].length > WIDTH_MAX && !line.includes(ROOT));
  assertEquals(tooWide, [], `lines of more than ${WIDTH_MAX} characters`);
}

async function demo(
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  const args = ["run", "-A", "examples/demo/demo.ts"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: environment })
    .output();
  const decoder = new TextDecoder();
  return { exitCode: code, stdout: decoder.decode(stdout) + (code === 0 ? "" : decoder.decode(stderr)) };
}

/** What there is to see of the places the demo works with, on this machine. */
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
  // A folder's own time changes with whatever else happens in it.
  const line = `${path} ${facts.mode} ${facts.uid} ${facts.isFile ? `${facts.size} ${facts.mtime?.getTime()}` : ""}`;
  if (!facts.isDirectory) return [line];
  return [line, ...Array.from(Deno.readDirSync(path)).flatMap(({ name }) => namesBelow(`${path}/${name}`))];
}

async function privateRootRefusal(): Promise<string | undefined> {
  const opened = await openPrivateRoot([]);
  if (opened.kind === "refused") return opened.reason;
  await opened.root[Symbol.asyncDispose]();
  return undefined;
}
