/**
 * Sets of CPUs as text: what people, the kernel and systemd write the same way.
 * @module
 */
export { parseCpuSet } from "../libvirt/cpu_set.ts";

/** A set as `0-3,8`, in ascending order; an empty one is an empty text. */
export function formatCpuSet(cpus: Iterable<number>): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of [...new Set(cpus)].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.last === cpu - 1) range.last = cpu;
    else ranges.push({ first: cpu, last: cpu });
  }
  return ranges.map(({ first, last }) => first === last ? String(first) : `${first}-${last}`).join(",");
}

/** A set for people: `CPU 3`, `CPUs 0-3,8`. */
export function nameCpus(cpus: Iterable<number>): string {
  const text = formatCpuSet(cpus);
  return /^\d+$/.test(text) ? `CPU ${text}` : `CPUs ${text}`;
}
