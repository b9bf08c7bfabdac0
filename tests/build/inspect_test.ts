import { BuildError } from "../../build/build_error.ts";
import { binaryMistakes, type Expectation, inspectBinary } from "../../build/inspect.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { fakeProgram, HOOK_SETTINGS } from "./fake_binary.ts";

const EXPECTED: Expectation = {
  binary: { name: "qemu", kind: "hook", entry: "hooks/qemu.ts", output: "hooks/qemu" },
  bundle: { entry: "qemu.js", files: [{ name: "qemu.js", text: "1;" }] },
  target: "x86_64-unknown-linux-gnu",
  hostFolders: ["/home/builder/", "/", ""],
};

Deno.test("inspectBinary() accepts a binary as it should be", () => {
  inspectBinary(fakeProgram(), EXPECTED);
});

const { permissions } = HOOK_SETTINGS;
const WRONG = [
  {
    name: "for another machine",
    program: { machine: 183 },
    want: "it is for aarch64, not for x86_64-unknown-linux-gnu",
  },
  {
    name: "with a code cache",
    program: { settings: { ...HOOK_SETTINGS, code_cache_key: 12345678901234567890 } },
    want: "it keeps a code cache in /tmp, which any local user could create",
  },
  {
    name: "that prompts",
    program: { settings: { ...HOOK_SETTINGS, permissions: { ...permissions, prompt: true } } },
    want: "it asks the terminal for permissions",
  },
  {
    name: "that may do more than its row says",
    program: { settings: { ...HOOK_SETTINGS, permissions: { ...permissions, allow_env: [] } } },
    want: "its permission allow_env is [], not null",
  },
  {
    name: "without its options of V8",
    program: { settings: { ...HOOK_SETTINGS, v8_flags: ["--single-threaded", "--max-old-space-size=256"] } },
    want: "V8's --jitless is not embedded",
  },
  {
    name: "that starts with another file",
    program: { settings: { ...HOOK_SETTINGS, entrypoint_key: "main.js" } },
    want: "it starts with main.js, not with qemu.js",
  },
  {
    name: "that sends telemetry",
    program: { settings: { ...HOOK_SETTINGS, otel_config: { tracing_enabled: true, metrics_enabled: false } } },
    want: "it sends telemetry",
  },
  {
    name: "with variables of an env file",
    program: { settings: { ...HOOK_SETTINGS, env_vars_from_env_file: { A: "1" } } },
    want: "it has embedded environment variables",
  },
  {
    name: "that looks for package.json",
    program: { settings: { ...HOOK_SETTINGS, workspace_resolver: { package_jsons: { "package.json": {} } } } },
    want: "it looks for package.json at run time",
  },
  {
    name: "that names a folder of the build host",
    program: { data: 'throw"/home/builder/checkout/lib/a.ts"' },
    want: "it names a folder of this machine, /home/builder/",
  },
  {
    name: "with a file that is not part of its bundle",
    program: { tree: [{ File: { n: "qemu.js" } }, { File: { n: "package.json" } }] },
    want: "package.json is embedded but is not part of its bundle",
  },
];
for (const { name, program, want } of WRONG) {
  Deno.test(`binaryMistakes() refuses a binary ${name}`, () => {
    assertEquals(binaryMistakes(fakeProgram(program), EXPECTED), [want]);
  });
}

Deno.test("binaryMistakes() refuses a binary that lacks a chunk of its bundle", () => {
  const bundle = { entry: "qemu.js", files: [...EXPECTED.bundle.files, { name: "late.js", text: "" }] };
  assertEquals(binaryMistakes(fakeProgram(), { ...EXPECTED, bundle }), ["late.js is not embedded"]);
});

Deno.test("binaryMistakes() refuses what is no binary, and one without a trailer", () => {
  assertEquals(binaryMistakes(new TextEncoder().encode("text"), EXPECTED), ["it is no 64-bit ELF file"]);
  assertEquals(binaryMistakes(fakeProgram().subarray(0, 128), EXPECTED), [
    "Cannot find the trailer of a compiled program",
  ]);
});

Deno.test("inspectBinary() reports every mistake at once", () => {
  const settings = { ...HOOK_SETTINGS, code_cache_key: 1, permissions: { ...permissions, prompt: true } };
  const error = assertThrows(() => inspectBinary(fakeProgram({ settings }), EXPECTED), BuildError);
  assertStringIncludes(error.message, "Cannot accept the binary qemu: it keeps a code cache");
  assertStringIncludes(error.message, "; it asks the terminal");
});
