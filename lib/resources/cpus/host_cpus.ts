/**
 * What the host's own programs may use, as data, and how holders' CPUs are taken out of it. Pure.
 * @module
 */
import * as v from "valibot";
import type { CpusDemand } from "../../plan/demand.ts";
import { formatCpuSet, nameCpus, parseCpuSet } from "../../config/cpu_list.ts";
import type { HeldDemand, SavedState, Wanted } from "../resource.ts";

/** What one group of the host's programs may use. */
export interface Share {
  /** As `0-3,8`; empty where nothing is said, which is all. */
  readonly cpus: string;
  /** What systemd's own file of run-time settings says; `null` without such a file, and without systemd. */
  readonly dropIn: string | null;
}

/** What the host's programs may use, by group. */
export interface HostCpus {
  readonly by: "systemd" | "cgroup";
  /** All that the host has now. */
  readonly online: string;
  readonly shares: Readonly<Record<string, Share>>;
}

const shareSchema = v.object({ cpus: v.string(), dropIn: v.nullable(v.string()) });

/** {@linkcode HostCpus}, as a schema. */
export const hostCpusSchema: v.GenericSchema<unknown, HostCpus> = v.object({
  by: v.picklist(["systemd", "cgroup"]),
  online: v.string(),
  shares: v.record(v.string(), shareSchema),
});

/** A list of CPUs in one way of writing: systemd and kernels have used several. */
export function normalCpus(text: string): string {
  return formatCpuSet(membersOf(text.trim().replace(/[\s,]+/g, ",")));
}

/** The members of a list; none of an empty one. */
export function membersOf(text: string): readonly number[] {
  return parseCpuSet(text) ?? [];
}

/** What is left to the host while these hold CPUs. */
export function wantedCpus(original: HostCpus, held: readonly HeldDemand<CpusDemand>[]): Wanted<HostCpus> {
  const isolated = new Set(held.flatMap(({ demand }) => demand.cpus));
  const online = membersOf(original.online);
  const shares: [string, Share][] = [];
  for (const [name, share] of Object.entries(original.shares)) {
    const allowed = share.cpus === "" ? online : membersOf(share.cpus).filter((cpu) => online.includes(cpu));
    const left = allowed.filter((cpu) => !isolated.has(cpu));
    if (left.length === 0) return { kind: "conflict", reason: noneLeft(name, allowed, held) };
    shares.push([name, left.length === allowed.length ? share : shareOf(left, original)]);
  }
  return { kind: "value", value: { ...original, shares: Object.fromEntries(shares) } };
}

function shareOf(left: readonly number[], { by }: HostCpus): Share {
  const cpus = formatCpuSet(left);
  return { cpus, dropIn: by === "systemd" ? cpus : null };
}

function noneLeft(name: string, allowed: readonly number[], held: readonly HeldDemand<CpusDemand>[]): string {
  const who = held.map((one) => `${one.who} isolates ${nameCpus(one.demand.cpus)}`).join(", ");
  return `${who}: no CPU would be left to the host's own programs (${name} has ${nameCpus(allowed)})`;
}

/**
 * The original, with what others changed meanwhile: groups come and go, CPUs too, and an administrator may give a group
 * other CPUs.
 */
export function rebasedCpus(saved: SavedState<HostCpus>, actual: HostCpus): HostCpus {
  const shares = Object.entries(actual.shares).map(([name, share]) => {
    const before = saved.original.shares[name];
    return [name, before === undefined || !isOurs(name, share, saved) ? share : before] as const;
  });
  return { ...actual, shares: Object.fromEntries(shares) };
}

/**
 * Whether a share is one that we found or made. Where our drop-in stands, it is: another that systemd reads after it adds
 * to it at the next `daemon-reload`, and that changes nothing of what was meant.
 */
function isOurs(name: string, share: Share, { original, written, pending }: SavedState<HostCpus>): boolean {
  const known = [original, written, pending].flatMap((value) => value?.shares[name] ?? []);
  return share.dropIn === null
    ? known.some(({ cpus }) => cpus === share.cpus)
    : known.some(({ dropIn }) => dropIn === share.dropIn);
}

/** For people. */
export function describeCpus({ shares }: HostCpus): string {
  const texts = Object.entries(shares).map(([name, { cpus }]) =>
    [name, cpus === "" ? "all CPUs" : named(cpus)] as const
  );
  const all = new Set(texts.map(([, text]) => text));
  const [only] = all;
  if (all.size === 1 && only !== undefined) return `the host's programs on ${only}`;
  return texts.map(([name, text]) => `${name} on ${text}`).join(", ");
}

function named(cpus: string): string {
  return nameCpus(membersOf(cpus));
}
