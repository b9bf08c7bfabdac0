/**
 * CPUs of the host's programs on hosts without systemd: `cpuset.cpus` of the top-level cgroups (version 2). Programs
 * in the root cgroup, among them kernel threads, keep their CPUs.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { type HostCpus, normalCpus, type Share } from "./host_cpus.ts";
import { possibleCpus } from "./possible_cpus.ts";
import type { Refused, ResourceChange, WriteEnd } from "../resource.ts";

const ROOT = "/sys/fs/cgroup";
const CONTROL = `${ROOT}/cgroup.subtree_control`;
const FILE = "cpuset.cpus";
const WRITE_TIMEOUT_MS = 3_000;

/** The cgroups of libvirt's guests: `machine`, `machine.slice`. */
const GUESTS = /^machine(\.|$)/;

/** Lists the top-level cgroups and their CPUs. */
export async function listCgroups(
  sys: Pick<Sys, "kernel">,
): Promise<{ readonly shares: Readonly<Record<string, Share>> } | Refused> {
  const delegated = (await sys.kernel.read([CONTROL])).get(CONTROL);
  if (!delegated?.trim().split(/\s+/).includes("cpuset")) {
    const reason = `groups at the top have no cpuset controller (${CONTROL})`;
    return { kind: "refused", reason, hint: `run: echo +cpuset > ${CONTROL}` };
  }
  const names = [...await sys.kernel.list(ROOT) ?? []].map(([name]) => name).filter((name) => !GUESTS.test(name));
  const texts = await sys.kernel.read(names.map(fileOf));
  const shares = names.sort().flatMap((name): readonly [string, Share][] => {
    const text = texts.get(fileOf(name));
    return text === undefined ? [] : [[name, { cpus: normalCpus(text), dropIn: null }]];
  });
  if (shares.length > 0) return { shares: Object.fromEntries(shares) };
  return {
    kind: "refused",
    reason: `the host's programs are in no group below ${ROOT}, so they cannot be kept off a CPU`,
  };
}

function fileOf(name: string): string {
  return `${ROOT}/${name}/${FILE}`;
}

/** Writes the cgroups that differ. A cgroup that cannot be written does not prevent writing the others. */
export async function writeCgroups(
  { from, to }: ResourceChange<HostCpus>,
  sys: Pick<Sys, "kernel">,
): Promise<WriteEnd<HostCpus>> {
  const all = await possibleCpus(to.online, sys);
  const problems: WriteEnd<HostCpus>[] = [];
  const shares: [string, Share][] = [];
  for (const [name, share] of Object.entries(to.shares)) {
    const end = from.shares[name]?.cpus === share.cpus ? share : await writeGroup(name, share, { all, sys });
    if ("kind" in end) problems.push(end);
    else shares.push([name, end]);
  }
  return problems[0] ?? { kind: "applied", value: { ...to, shares: Object.fromEntries(shares) } };
}

/** Writes one cgroup. Returns its CPUs after the write, or the problem. */
async function writeGroup(
  name: string,
  share: Share,
  { all, sys }: { readonly all: string; readonly sys: Pick<Sys, "kernel"> },
): Promise<Share | WriteEnd<HostCpus>> {
  const path = fileOf(name);
  // The kernel ignores an empty write, so a newline is added.
  const end = await sys.kernel.write(path, `${share.cpus}\n`, WRITE_TIMEOUT_MS);
  if (end.kind === "written") return share;
  // The kernel refuses an empty list for a cgroup that contains programs.
  if (end.kind === "refused" && share.cpus === "") return await writeGroup(name, { ...share, cpus: all }, { all, sys });
  return end.kind === "stuck"
    ? { kind: "stuck", reason: `the write to ${path} hangs in the kernel` }
    : { kind: "failed", reason: `${path}: ${end.reason}` };
}
