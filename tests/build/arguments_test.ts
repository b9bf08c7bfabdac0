import { parseBuildArguments } from "../../build/arguments.ts";
import { BuildError, UsageError } from "../../build/build_error.ts";
import { hostTarget, TARGET_NAMES } from "../../build/target.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const NOTHING = { kind: "build", targets: [hostTarget()], denort: undefined, only: [], out: undefined } as const;
const X86_64 = "x86_64-unknown-linux-gnu";

const ACCEPTED = [
  { name: "nothing", args: [], want: NOTHING },
  { name: "--target", args: ["--target", X86_64], want: { ...NOTHING, targets: [X86_64] } },
  { name: "--target=", args: [`--target=${X86_64}`], want: { ...NOTHING, targets: [X86_64] } },
  { name: "--target all", args: ["--target", "all"], want: { ...NOTHING, targets: TARGET_NAMES } },
  { name: "--denort", args: ["--denort", "a/b"], want: { ...NOTHING, denort: "a/b" } },
  { name: "--out with a number", args: ["--out", "7"], want: { ...NOTHING, out: "7" } },
  { name: "--only twice", args: ["--only", "qemu", "--only=lxc"], want: { ...NOTHING, only: ["qemu", "lxc"] } },
  { name: "--help", args: ["--help"], want: { kind: "help" } },
  { name: "-h among mistakes", args: ["--wrong", "-h"], want: { kind: "help" } },
] as const;
for (const { name, args, want } of ACCEPTED) {
  Deno.test(`parseBuildArguments() reads ${name}`, () => {
    assertEquals<unknown>(parseBuildArguments(args), want);
  });
}

const REFUSED = [
  {
    name: "an unknown flag",
    args: ["--targt", "all"],
    message: "--targt: it is unknown",
    hint: "did you mean --target?",
  },
  {
    name: "an unknown flag with a value",
    args: ["--ony=qemu"],
    message: "--ony: it is unknown",
    hint: "did you mean --only?",
  },
  { name: "an unknown short flag", args: ["-x"], message: "-x: it is unknown", hint: "see --help" },
  { name: "a word", args: ["qemu"], message: 'the argument "qemu"', hint: "see --help" },
  { name: "a word after --", args: ["--", "qemu"], message: 'the argument "qemu"', hint: "see --help" },
  {
    name: "an unknown target",
    args: ["--target", "aarch64"],
    message: "it is no target",
    hint: `did you mean "${TARGET_NAMES[1]}"?`,
  },
  { name: "a misspelled target", args: ["--target", "al"], message: "it is no target", hint: 'did you mean "all"?' },
  { name: "a flag without its value", args: ["--out"], message: "--out: it needs a value", hint: "see --help" },
  { name: "an empty value", args: ["--denort="], message: "--denort: it needs a value", hint: "see --help" },
  { name: "--out twice", args: ["--out", "a", "--out", "b"], message: "--out twice", hint: "see --help" },
];
for (const { name, args, message, hint } of REFUSED) {
  Deno.test(`parseBuildArguments() refuses ${name}`, () => {
    assertEquals(assertThrows(() => parseBuildArguments(args), UsageError, message).hint, hint);
  });
}

Deno.test("hostTarget() refuses a machine for which nothing is built", () => {
  assertThrows(() => hostTarget("aarch64-apple-darwin"), BuildError, "it is aarch64-apple-darwin");
});
