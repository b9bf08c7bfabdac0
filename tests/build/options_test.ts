import { UsageError } from "../../build/build_error.ts";
import { parseBuildOptions } from "../../build/options.ts";
import { hostTarget, TARGET_NAMES } from "../../build/target.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const NOTHING = { kind: "build", targets: [hostTarget()], denort: undefined, out: undefined } as const;
const X86_64 = "x86_64-unknown-linux-gnu";

const ACCEPTED = [
  { name: "nothing", args: [], want: NOTHING },
  { name: "--target", args: ["--target", X86_64], want: { ...NOTHING, targets: [X86_64] } },
  { name: "--target=", args: [`--target=${X86_64}`], want: { ...NOTHING, targets: [X86_64] } },
  { name: "--target all", args: ["--target", "all"], want: { ...NOTHING, targets: TARGET_NAMES } },
  { name: "--denort", args: ["--denort", "a/b"], want: { ...NOTHING, denort: "a/b" } },
  { name: "--out with a number", args: ["--out", "7"], want: { ...NOTHING, out: "7" } },
  { name: "--help", args: ["--help"], want: { kind: "help" } },
  { name: "-h among mistakes", args: ["--wrong", "-h"], want: { kind: "help" } },
] as const;
for (const { name, args, want } of ACCEPTED) {
  Deno.test(`parseBuildOptions() reads ${name}`, () => {
    assertEquals<unknown>(parseBuildOptions(args), want);
  });
}

const REFUSED = [
  {
    name: "an unknown option",
    args: ["--targt", "all"],
    message: "--targt: it is unknown",
    hint: "did you mean --target?",
  },
  {
    name: "an unknown option with a value",
    args: ["--ot=qemu"],
    message: "--ot: it is unknown",
    hint: "did you mean --out?",
  },
  { name: "an unknown short option", args: ["-x"], message: "-x: it is unknown", hint: "see --help" },
  { name: "a word", args: ["qemu"], message: 'the argument "qemu"', hint: "see --help" },
  { name: "a word after --", args: ["--", "qemu"], message: 'the argument "qemu"', hint: "see --help" },
  {
    name: "an unknown target",
    args: ["--target", "aarch64"],
    message: "it is not a target",
    hint: `did you mean "${TARGET_NAMES[1]}"?`,
  },
  { name: "a misspelled target", args: ["--target", "al"], message: "it is not a target", hint: 'did you mean "all"?' },
  { name: "an option without its value", args: ["--out"], message: "--out: it needs a value", hint: "see --help" },
  { name: "an empty value", args: ["--denort="], message: "--denort: it needs a value", hint: "see --help" },
  { name: "--out twice", args: ["--out", "a", "--out", "b"], message: "--out twice", hint: "see --help" },
];
for (const { name, args, message, hint } of REFUSED) {
  Deno.test(`parseBuildOptions() refuses ${name}`, () => {
    assertEquals(assertThrows(() => parseBuildOptions(args), UsageError, message).hint, hint);
  });
}
