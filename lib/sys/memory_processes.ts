/**
 * The processes of a host in memory: what its `/proc` says of them.
 * @module
 */
import type { Nodes } from "./memory_kernel.ts";
import { parseProcStat } from "./proc_stat.ts";
import type { CommandEnd, Launch, Launched, Sys } from "./sys.ts";

/** Numbers of processes: below are those that a test has there. */
const FIRST_PID = 30_000;

/** Starts and ends processes: every group ends when it is asked to. */
export function memoryProcesses(
  nodes: Nodes,
  dying: Readonly<Record<string, CommandEnd>>,
): Pick<Sys, "killGroup" | "launch"> & { readonly killed: number[]; readonly launches: Launch[] } {
  const killed: number[] = [];
  const launches: Launch[] = [];
  return {
    killed,
    launches,
    killGroup: (group) => {
      killed.push(group);
      endProcesses(nodes, group);
    },
    launch: (launch) => {
      launches.push(launch);
      return Promise.resolve(launchInMemory(launch, dying, nodes));
    },
  };
}

/** Starts a program that lives on, or ends at once as `dying` says. */
function launchInMemory(
  { argv, environment, onStart }: Launch,
  dying: Readonly<Record<string, CommandEnd>>,
  nodes: Nodes,
): Launched {
  const end = dying[argv[0]];
  if (end?.kind === "not-started") return { kind: "ended", end };
  let pid = FIRST_PID;
  while (nodes.has(`/proc/${pid}/stat`)) pid++;
  if (end === undefined) addProcess(nodes, { pid, session: pid, environment });
  onStart(pid);
  if (end !== undefined) return { kind: "ended", end };
  return { kind: "running", pid };
}

/** A process of the host in memory, as its kernel tells of it; it leads a group of its own. */
export function addProcess(
  nodes: Nodes,
  process: {
    readonly pid: number;
    readonly session: number;
    readonly environment: Readonly<Record<string, string>>;
  },
): void {
  const { pid, session, environment } = process;
  const environ = Object.entries(environment).map(([name, value]) => `${name}=${value}\0`).join("");
  const stat = `${pid} (program) S 1 ${pid} ${session} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${pid} 1 1`;
  for (const [name, text] of [["stat", stat], ["environ", environ]] as const) {
    nodes.set(`/proc/${pid}/${name}`, { kind: "file", text, uid: 0, mode: 0o400 });
  }
  nodes.set(`/proc/${pid}`, { kind: "directory", text: "", uid: 0, mode: 0o555 });
}

function endProcesses(nodes: Nodes, group: number): void {
  for (const [path, { text }] of [...nodes]) {
    const [, folder] = /^(\/proc\/\d+)\/stat$/.exec(path) ?? [];
    if (folder === undefined || parseProcStat(text)?.group !== group) continue;
    for (const gone of [folder, path, `${folder}/environ`]) nodes.delete(gone);
  }
}
