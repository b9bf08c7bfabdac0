/**
 * The admin command on a host in memory that hooks have worked on.
 * @module
 */
import { hostOf } from "./host.ts";
import { runCli } from "../../lib/cli/run_cli.ts";
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Terminal } from "../../lib/sys/terminal.ts";
import type { LedgerHost } from "./ledger_host.ts";
import { testTerminal } from "./terminal.ts";

/** What the command came to. */
export interface Said {
  readonly code: number;
  /** Its lines, without the last line feed. */
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** How it is run. */
export interface AdminOptions {
  readonly terminal?: Partial<Terminal>;
  readonly uid?: number;
  readonly stdin?: string;
  /** How long after the program's start it looks at the clock. */
  readonly laterMs?: number;
}

/** Runs it. */
export async function admin(host: LedgerHost, args: readonly string[], options: AdminOptions = {}): Promise<Said> {
  const { terminal, uid = 0, stdin = "", laterMs = 0 } = options;
  const memory = host.sys(args);
  memory.clock.elapsedMs += laterMs;
  const bytes = new TextEncoder().encode(stdin);
  const sys: MemorySys = { ...memory, uid: () => uid, readStdin: () => ({ kind: "whole", bytes }) };
  const readTail: Terminal["readTail"] = (path, offset) => sys.readTextFile(path, Infinity).slice(offset);
  const code = await runCli(hostOf(sys), testTerminal({ readTail, ...terminal }));
  return { code, lines: sys.written.stdout.trimEnd().split("\n"), stderr: sys.written.stderr };
}

/** Everything on the host, to see that nothing has changed. */
export function snapshot(host: LedgerHost): ReadonlyMap<string, string> {
  return new Map([...host.nodes].map(([path, { kind, text }]) => [path, `${kind} ${text}`]));
}
