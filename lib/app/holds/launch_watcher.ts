/**
 * Some things no hook is told of: a guest's lease comes seconds after it has started, and libvirt writes its rules of the packet
 * filter after the last call of its daemon's start. So a hook leaves a process of ours behind, which looks again.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { TOOL_ENVIRONMENT } from "../../sys/tools.ts";

/** What such a process waits for, by its argument. libvirt calls with four arguments, always. */
const ARGUMENTS = { guests: "--wait-for-guests", firewall: "--wait-for-firewall" } as const;

/** What a process of ours waits for. */
export type WatcherKind = keyof typeof ARGUMENTS;

/** What these arguments tell a process to wait for; `undefined` for a call of libvirt's. */
export function watcherIn(args: readonly string[]): WatcherKind | undefined {
  if (args.length !== 1) return undefined;
  return args[0] === ARGUMENTS.guests ? "guests" : args[0] === ARGUMENTS.firewall ? "firewall" : undefined;
}

/** What is not waited for when no such process can be started. */
const FAILURES = {
  guests: "cannot wait for the guest's address",
  firewall: "the packet filter is not looked at again when libvirt has written its own rules",
} as const satisfies Record<WatcherKind, string>;

/** Leaves one behind; tells why it cannot. */
export async function launchWatcher(
  waiting: WatcherKind,
  sys: Pick<Sys, "launch" | "program">,
): Promise<string | undefined> {
  const launched = await sys.launch({
    argv: [sys.program(), ARGUMENTS[waiting]],
    environment: TOOL_ENVIRONMENT,
    watchMs: 0,
    onStart: () => {},
  });
  if (launched.kind === "running" || launched.end.kind !== "not-started") return undefined;
  return `${FAILURES[waiting]} (${launched.end.reason}): "virt-hooks reconcile" looks again`;
}
