/**
 * Every rules file in `examples/`: `virt-hooks check` finds no mistake, and `virt-hooks explain` matches each rule for the
 * calls it is meant for and for no other.
 */
import { hostOf } from "../support/host.ts";
import { runCli } from "../../lib/cli/run_cli.ts";
import { denoSys } from "../../lib/sys/deno_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { testTerminal } from "../support/terminal.ts";
import { type Asked, CASES } from "./rules_cases.ts";

const EXAMPLES = decodeURIComponent(new URL("../../examples/", import.meta.url).pathname);

Deno.test("examples: every file and every rule is tried here", async () => {
  const there = exampleFiles().flatMap((file) => ruleNames(file).map((rule) => `${file}: ${rule}`));
  assertEquals(CASES.map(({ file, rule }) => `${file}: ${rule}`).toSorted(), there.toSorted());
  const { exitCode, stdout } = await cli(["check", ...exampleFiles().map((file) => EXAMPLES + file)]);
  assertEquals([exitCode, stdout], [0, `${there.length} rules in ${exampleFiles().length} files: no mistakes\n`]);
});

for (const file of exampleFiles()) {
  Deno.test(`examples: virt-hooks check finds no mistake in ${file}`, async () => {
    const { exitCode, stdout } = await cli(["check", EXAMPLES + file]);
    const count = ruleNames(file).length;
    assertEquals([exitCode, stdout], [0, `${count} rule${count === 1 ? "" : "s"} in 1 file: no mistakes\n`]);
  });
}

for (const { file, rule, matches, plan, spares } of CASES) {
  for (const asked of matches) {
    Deno.test(`examples: ${file}: "${rule}" matches ${told(asked)}`, async () => {
      const stdout = await explain(file, asked);
      assertStringIncludes(stdout, `rule "${rule}" matches: `);
      assertStringIncludes(stdout, `  ${plan}  (rule "${rule}")\n`);
    });
  }
  for (const asked of spares) {
    Deno.test(`examples: ${file}: "${rule}" spares ${told(asked)}`, async () => {
      assertStringIncludes(await explain(file, asked), `rule "${rule}" does not match: `);
    });
  }
}

function told({ call, host, file }: Asked): string {
  const place = host === undefined ? "" : ` on ${host}`;
  return `${call.join(" ")}${place}${file === undefined ? "" : ` while there is ${file}`}`;
}

function exampleFiles(): readonly string[] {
  return Array.from(Deno.readDirSync(EXAMPLES), ({ name }) => name).filter((name) => name.endsWith(".toml")).toSorted();
}

function ruleNames(file: string): readonly string[] {
  return Array.from(Deno.readTextFileSync(EXAMPLES + file).matchAll(/^name = "(.*)"$/gm), ([, name = ""]) => name);
}

/** What `virt-hooks explain` says with this file alone as the rules. */
async function explain(file: string, { call, host, file: there }: Asked): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-examples-" });
  try {
    await Deno.copyFile(EXAMPLES + file, `${folder}/rules.toml`);
    const args = ["explain", "--rules", folder, "--", ...call];
    const { exitCode, stdout } = await cli(args, { host: host ?? "hv-01", file: there });
    assertEquals(exitCode, 0, stdout);
    return stdout;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Host {
  readonly host: string;
  readonly file: string | undefined;
}

/** Runs the admin command here, on a host of this name on which of the examples' files only `file` is there. */
async function cli(
  args: readonly string[],
  { host, file }: Host = { host: "hv-01", file: undefined },
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  let stdout = "";
  const real = denoSys();
  const exitCode = await runCli(
    hostOf({
      ...real,
      args,
      hostname: () => host,
      paths: {
        ...real.paths,
        lstat: (path) =>
          path === "/run/maintenance" ? Promise.resolve(fileFacts(path === file)) : real.paths.lstat(path),
      },
      writeStdout: (text) => stdout += text,
      onUncaught: () => {},
    }),
    testTerminal({ stdinIsTerminal: true }),
  );
  return { exitCode, stdout };
}

function fileFacts(isThere: boolean): ReturnType<ReturnType<typeof denoSys>["lstat"]> {
  return isThere ? { kind: "file", uid: 0, gid: 0, mode: 0o644, sizeBytes: 0 } : undefined;
}
