/**
 * The CPUs that the host's own programs may use, as data, and how holders' CPUs are removed from them. Pure.
 * @module
 */
import * as v from "valibot";
import type { CpusDemand } from "../../plan/demand.ts";
import { formatCpuSet, nameCpus, parseCpuSet } from "../../config/cpu_list.ts";
import type { HeldDemand, SavedState, Wanted } from "../resource.ts";

/** The CPUs of one cgroup or unit of the host's programs. */
export interface Share {
  /** A list such as `0-3,8`; empty if nothing is set, which means all CPUs. */
  readonly cpus: string;
  /** The value in systemd's run-time drop-in; `null` without a drop-in, and without systemd. */
  readonly dropIn: string | null;
}

/** The CPUs of the host's programs, by cgroup or unit. */
export interface HostCpus {
  readonly by: "systemd" | "cgroup";
  /** All CPUs that are online. */
  readonly online: string;
  readonly shares: Readonly<Record<string, Share>>;
}

const shareSchema = v.object({ cpus: v.string(), dropIn: v.nullable(v.string()) });

/** Schema of {@linkcode HostCpus}. */
export const hostCpusSchema: v.GenericSchema<unknown, HostCpus> = v.object({
  by: v.picklist(["systemd", "cgroup"]),
  online: v.string(),
  shares: v.record(v.string(), shareSchema),
});

/** Converts a CPU list to normal form: systemd and kernels use several. */
export function normalCpus(text: string): string {
  return formatCpuSet(membersOf(text.trim().replace(/[\s,]+/g, ",")));
}

/** Returns the members of a list; none for an empty one. */
export function membersOf(text: string): readonly number[] {
  return parseCpuSet(text) ?? [];
}

/** Removes the holders' CPUs from those of the host's programs. Conflicts if a group would have none left. */
export function wantedCpus(original: HostCpus, held: readonly HeldDemand<CpusDemand>[]): Wanted<HostCpus> {
  const isolated = new Set(held.flatMap(({ demand }) => demand.cpus));
  const online = membersOf(original.online);
  const shares: [string, Share][] = [];
  for (const [name, share] of Object.entries(original.shares)) {
    const allowed = share.cpus === "" ? online : membersOf(share.cpus).filter((cpu) => online.includes(cpu));
    const left = allowed.filter((cpu) => !isolated.has(cpu));
    if (left.length === 0) return { kind: "conflict", reason: conflictReason(name, allowed, held) };
    shares.push([name, left.length === allowed.length ? share : shareOf(left, original)]);
  }
  return { kind: "value", value: { ...original, shares: Object.fromEntries(shares) } };
}

function shareOf(left: readonly number[], { by }: HostCpus): Share {
  const cpus = formatCpuSet(left);
  return { cpus, dropIn: by === "systemd" ? cpus : null };
}

function conflictReason(name: string, allowed: readonly number[], held: readonly HeldDemand<CpusDemand>[]): string {
  const holders = held.map((one) => `${one.holder} isolates ${nameCpus(one.demand.cpus)}`).join(", ");
  return `${holders}: no CPU would be left to the host's own programs (${name} has ${nameCpus(allowed)})`;
}

/**
 * Updates the original with changes by other programs: groups and CPUs come and go, and an administrator may give a
 * group other CPUs.
 */
export function rebasedCpus(saved: SavedState<HostCpus>, actual: HostCpus): HostCpus {
  const shares = Object.entries(actual.shares).map(([name, share]) => {
    const before = saved.original.shares[name];
    return [name, before === undefined || !isOurs(name, share, saved) ? share : before] as const;
  });
  return { ...actual, shares: Object.fromEntries(shares) };
}

/**
 * Whether a share is the original or one that we wrote. With our drop-in it always counts as ours: a drop-in that
 * systemd reads later adds to it at the next `daemon-reload`, which does not change our setting.
 */
function isOurs(name: string, share: Share, { original, written, pending }: SavedState<HostCpus>): boolean {
  const known = [original, written, pending].flatMap((value) => value?.shares[name] ?? []);
  return share.dropIn === null
    ? known.some(({ cpus }) => cpus === share.cpus)
    : known.some(({ dropIn }) => dropIn === share.dropIn);
}

/** Describes the CPUs of the host's programs. */
export function describeCpus({ shares }: HostCpus): string {
  const texts = Object.entries(shares).map(([name, { cpus }]) =>
    [name, cpus === "" ? "all CPUs" : cpusText(cpus)] as const
  );
  const all = new Set(texts.map(([, text]) => text));
  const [only] = all;
  if (all.size === 1 && only !== undefined) return `the host's programs on ${only}`;
  return texts.map(([name, text]) => `${name} on ${text}`).join(", ");
}

function cpusText(cpus: string): string {
  return nameCpus(membersOf(cpus));
}
