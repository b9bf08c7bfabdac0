/**
 * Plays the steps in a private root, through the compiled programs, and tells what was seen. Shows nothing.
 * @module
 */
import * as v from "valibot";
import { drivers } from "../../lib/libvirt/drivers.ts";
import type { Driver } from "../../lib/libvirt/driver.ts";
import type { CallResult, PrivateRoot, Stdin } from "../../tests/support/private_root.ts";
import { COMMAND_PATH, documentText } from "./stage.ts";
import type { CommandStep, HookStep } from "./step.ts";

/** The environment that libvirt gives a hook under systemd. */
export const LIBVIRT_ENVIRONMENT = {
  LC_ALL: "C",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
} as const;

const HISTORY_PATH = "/var/log/virt-hooks/history.jsonl";

/** What something of the host was, and is. */
const MOVED = v.optional(v.object({ from: v.string(), to: v.string() }));

const ENTRY = v.object({
  outcome: v.string(),
  rules: v.array(v.object({ name: v.string(), because: v.array(v.string()) })),
  actions: v.array(v.object({
    action: v.string(),
    plan: v.string(),
    end: v.string(),
    durationMs: v.number(),
    problem: v.optional(v.string()),
    stdout: v.optional(v.string(), ""),
    changes: v.optional(v.array(v.object({ line: v.number(), from: v.string(), to: v.string() })), []),
    change: MOVED,
  })),
  holds: v.optional(v.array(v.object({ resource: v.string(), end: v.string(), change: MOVED })), []),
});

/** What the history says of a call. */
export type Entry = v.InferOutput<typeof ENTRY>;

/** What was seen of a call. */
export interface Seen {
  readonly argv: readonly [string, ...string[]];
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** What was seen of a hook's call; no entry when it left none. */
export interface SeenHook extends Seen {
  readonly entry: Entry | undefined;
}

/** Somebody who calls hooks as libvirt does, and looks into the history after each call. */
export interface Caller {
  callHook(step: HookStep): Promise<SeenHook>;
}

/** A caller in a private root whose history is still empty. */
export function callerIn(root: PrivateRoot): Caller {
  let linesRead = 0;
  return {
    callHook: async (step) => {
      const argv = [`/etc/libvirt/hooks/${step.driver}`, ...hookWords(step)] as const;
      const result = await root.run({ argv, environment: LIBVIRT_ENVIRONMENT, stdin: stdinOf(step) });
      const entries = await readHistory(root);
      const entry = entries[linesRead];
      linesRead = entries.length;
      return { ...seen(argv, result), entry };
    },
  };
}

/** Runs the admin command. */
export async function runCommand(step: CommandStep, root: PrivateRoot): Promise<Seen> {
  const argv = [COMMAND_PATH, ...step.args] as const;
  return seen(argv, await root.run({ argv, environment: LIBVIRT_ENVIRONMENT }));
}

/** How many of the programs that the demo leaves hanging still run. */
export async function countLeftRunning(root: PrivateRoot): Promise<number> {
  return Number(await root.sh("{ grep -lx -e sleep -e never-ends /proc/[0-9]*/comm 2>/dev/null || :; } | wc -l"));
}

/** The four arguments that libvirt gives a hook. */
export function hookWords({ driver, object, operation, extra }: HookStep): readonly string[] {
  const { operations }: Driver = drivers[driver];
  return [object, operation, operations[operation]?.subOperation ?? "-", extra];
}

function stdinOf({ document, object }: HookStep): Stdin {
  if (document === undefined) return { kind: "null" };
  return { kind: "bytes", bytes: new TextEncoder().encode(documentText(document, object)) };
}

function seen(argv: readonly [string, ...string[]], { exitCode, durationMs, stdout, stderr }: CallResult): Seen {
  const decoder = new TextDecoder();
  return { argv, exitCode, durationMs, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function readHistory(root: PrivateRoot): Promise<readonly Entry[]> {
  const text = new TextDecoder().decode(await root.read(HISTORY_PATH));
  return text.split("\n").filter((line) => line !== "").map((line) => v.parse(ENTRY, JSON.parse(line)));
}
