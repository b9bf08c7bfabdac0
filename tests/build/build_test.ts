import { checksumsText, versionText } from "../../build/archive.ts";
import { build, type BuildEvent } from "../../build/build.ts";
import { BuildError } from "../../build/build_error.ts";
import { compileFlags, isAtLeast, parseSourceDateEpoch } from "../../build/compile.ts";
import { progressLine } from "../../build/progress.ts";
import { readVersion } from "../../build/project.ts";
import { denoErrorLine } from "../../build/subprocess.ts";
import { hostTarget } from "../../build/target.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { BARE_DENORT, fakeElf } from "./fake_binary.ts";

Deno.test("build() leaves the last build as it was when it fails", async () => {
  await withProject(async (root) => {
    const target = hostTarget();
    // It passes every check before the compilation, and is not a program.
    const text = `${BARE_DENORT} Deno/${Deno.version.deno}`;
    const machine = target.startsWith("x86_64") ? 62 : 183;
    await Deno.writeFile(`${root}/denort`, fakeElf({ machine, text }));
    await Deno.mkdir(`${root}/dist/${target}/hooks`, { recursive: true });
    await Deno.writeTextFile(`${root}/dist/${target}/hooks/qemu`, "the last build");
    await assertRejects(() => build({ root, targets: [target], denort: `${root}/denort` }), BuildError, "qemu");
    assertEquals(await Deno.readTextFile(`${root}/dist/${target}/hooks/qemu`), "the last build");
    const left = [...Deno.readDirSync(`${root}/dist`)].map(({ name }) => name).toSorted();
    assertEquals(left, [".lock", target]);
  });
});

Deno.test("build() reports a checkout without sources", async () => {
  await withProject(async (root) => {
    await Deno.remove(`${root}/hooks`, { recursive: true });
    await assertRejects(() => build({ root, targets: [hostTarget()] }), BuildError, "neither hooks/*.ts nor cli.ts");
  });
});

Deno.test("build() reports that dist cannot be written", async () => {
  await withProject(async (root) => {
    await Deno.writeTextFile(`${root}/dist`, "a file where a folder should be");
    const error = await assertRejects(() => build({ root, targets: [hostTarget()] }), BuildError, "Cannot write to");
    assertEquals(error.hint, "name another folder with --out DIR");
  });
});

Deno.test("parseSourceDateEpoch() takes whole seconds and has a default", () => {
  assertEquals(parseSourceDateEpoch("1700000000"), 1_700_000_000);
  assertEquals(new Date(parseSourceDateEpoch(undefined) * 1000).toISOString(), "2026-01-01T00:00:00.000Z");
  assertThrows(() => parseSourceDateEpoch("yesterday"), BuildError, 'it is "yesterday"');
});

Deno.test("compileFlags() turns off the code cache and the prompt, and names the program since 2.9", () => {
  const binary = { name: "qemu", kind: "hook", entry: "hooks/qemu.ts", output: "hooks/qemu" } as const;
  for (const version of ["2.7.11", "2.9.6"]) {
    const flags = compileFlags(binary, version);
    assert(flags.includes("--no-code-cache") && flags.includes("--no-prompt"), flags.join(" "));
    assertEquals(flags.slice(-2).join(" ") === "--app-name qemu", version === "2.9.6");
  }
});

Deno.test("isAtLeast() compares versions by number", () => {
  assertEquals(["2.7.11", "2.9.0", "2.10.1", "3.0.0"].map((version) => isAtLeast(version, [2, 9])), [
    ...[false, true, true, true],
  ]);
});

Deno.test("denoErrorLine() gives the error and its innermost cause, without colours and stack", () => {
  const stderr = "\x1b[1merror\x1b[0m: Writing 'a'\n\nCaused by:\n    0: Setting up.\n    1: no network\n\n" +
    "Stack backtrace:\n   0: <unknown>\n";
  assertEquals(denoErrorLine(stderr), "Writing 'a': no network");
  assertEquals(denoErrorLine("something else\n"), "something else");
  assertEquals(denoErrorLine(""), "no message");
});

Deno.test("versionText() has the version alone in the first line", () => {
  assertEquals(versionText("1.2.3", "T"), `1.2.3\ndeno ${Deno.version.deno}\ntarget T\n`);
});

Deno.test("checksumsText() is what sha256sum -c reads", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/hooks`);
    await Deno.writeTextFile(`${folder}/hooks/b`, "b");
    await Deno.writeTextFile(`${folder}/a`, "a");
    await Deno.writeTextFile(`${folder}/SHA256SUMS`, await checksumsText(folder, ["hooks/b", "a"]));
    const { stdout } = await new Deno.Command("sha256sum", { args: ["-c", "SHA256SUMS"], cwd: folder }).output();
    assertEquals(new TextDecoder().decode(stdout), "a: OK\nhooks/b: OK\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const VERSIONS = [
  { text: "1.2.3", isValid: true },
  { text: "1.2.3-rc.1", isValid: true },
  { text: "1.2.3-rc1+build.7", isValid: true },
  { text: "1.2", isValid: false },
  { text: "v1.2.3", isValid: false },
  { text: "1.2.3-", isValid: false },
  { text: "1.2.3-rc..1", isValid: false },
  { text: "1.2.3 rc", isValid: false },
];
for (const { text, isValid } of VERSIONS) {
  Deno.test(`readVersion() ${isValid ? "accepts" : "refuses"} "${text}"`, async () => {
    await withProject(async (root) => {
      await Deno.writeTextFile(`${root}/deno.json`, JSON.stringify({ version: text }));
      if (isValid) assertEquals(await readVersion(root), text);
      else await assertRejects(() => readVersion(root), BuildError, "Cannot read the version");
    });
  });
}

Deno.test("progressLine() warns of binaries that the build does not start", () => {
  const event: BuildEvent = { kind: "not-started", why: "no emulator" };
  assert(progressLine(event)?.includes("WARNING"));
  assertEquals(progressLine({ kind: "step", name: "qemu", step: "bundle" }), undefined);
});

/** Runs a test in a project with one hook. */
async function withProject(test: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/hooks`);
    await Deno.writeTextFile(`${root}/deno.json`, '{ "version": "1.2.3", "nodeModulesDir": "none" }');
    await Deno.writeTextFile(`${root}/hooks/qemu.ts`, "Deno.exit(2);\n");
    await test(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
