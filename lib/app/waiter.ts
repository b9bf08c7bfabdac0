/**
 * Some things no hook is told of: a guest's lease comes seconds after it has started. So a hook leaves a process of ours behind,
 * which looks again.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { TOOL_ENVIRONMENT } from "../sys/tools.ts";

/** libvirt calls with four arguments, always. */
const ARGUMENT = "--wait-for-guests";

/** Whether these are the arguments of such a process. */
export function isWaiter(args: readonly string[]): boolean {
  return args.length === 1 && args[0] === ARGUMENT;
}

/** Leaves one behind; tells why it cannot. */
export async function launchWaiter(sys: Pick<Sys, "launch" | "program">): Promise<string | undefined> {
  const launched = await sys.launch({
    argv: [sys.program(), ARGUMENT],
    environment: TOOL_ENVIRONMENT,
    watchMs: 0,
    onStart: () => {},
  });
  if (launched.kind === "running" || launched.end.kind !== "not-started") return undefined;
  return `nobody waits for the guest's address (${launched.end.reason}): "virt-hooks reconcile" looks again`;
}
