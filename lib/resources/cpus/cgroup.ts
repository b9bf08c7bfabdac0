/**
 * CPUs of the host's programs without systemd: `cpuset.cpus` of the groups at the top of cgroup version 2. Programs in no
 * group (the kernel's threads among them) stay where they are.
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

/** libvirt's guests live there: `machine`, `machine.slice`. */
const GUESTS = /^machine(\.|$)/;

/** The groups and what they may use. */
export async function listCgroups(
  sys: Pick<Sys, "kernel">,
): Promise<{ readonly shares: Readonly<Record<string, Share>> } | Refused> {
  const handedOn = (await sys.kernel.read([CONTROL])).get(CONTROL);
  if (!handedOn?.trim().split(/\s+/).includes("cpuset")) {
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

/** Writes what differs; one group that cannot be written does not keep the others from it. */
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
  return problems[0] ?? { kind: "stands", value: { ...to, shares: Object.fromEntries(shares) } };
}

/** What stands in a group after writing to it, or why it could not be done. */
async function writeGroup(
  name: string,
  share: Share,
  { all, sys }: { readonly all: string; readonly sys: Pick<Sys, "kernel"> },
): Promise<Share | WriteEnd<HostCpus>> {
  const path = fileOf(name);
  // An empty text alone would be no write at all.
  const end = await sys.kernel.write(path, `${share.cpus}\n`, WRITE_TIMEOUT_MS);
  if (end.kind === "written") return share;
  // "Nothing" is refused once there are programs in the group.
  if (end.kind === "refused" && share.cpus === "") return await writeGroup(name, { ...share, cpus: all }, { all, sys });
  return end.kind === "stuck"
    ? { kind: "stuck", reason: `the write to ${path} hangs in the kernel` }
    : { kind: "failed", reason: `${path}: ${end.reason}` };
}
