/**
 * Sets of CPUs and of NUMA nodes, as in `0-3,^2,8`.
 * @module
 */

/** libvirt knows no CPU and no node beyond these (`VIR_DOMAIN_CPUMASK_LEN`). */
const MEMBERS_MAX = 16_384;
const ITEM = /^(?:(\^?)([0-9]+)|([0-9]+)\s*-\s*\+?([0-9]+))$/;

/**
 * The members of a set, in ascending order. `^` takes out what the items before it put in.
 *
 * @returns `undefined` for what libvirt would not take: other characters, ranges that run backwards, no member at all
 */
export function parseCpuSet(text: string | undefined): readonly number[] | undefined {
  const items = text?.split(",") ?? [];
  // virBitmapParse() takes a comma at the end.
  if (items.length > 1 && items.at(-1)?.trim() === "") items.pop();
  if (items.length > MEMBERS_MAX) return undefined;
  const isMember = new Uint8Array(MEMBERS_MAX);
  for (const item of items) {
    const match = ITEM.exec(item.trim());
    if (match === null) return undefined;
    const [, without, single, from, to] = match;
    const first = Number(single ?? from);
    const last = Number(single ?? to);
    if (last < first || last >= MEMBERS_MAX) return undefined;
    isMember.fill(without === "^" ? 0 : 1, first, last + 1);
  }
  const members = [...isMember.keys()].filter((member) => isMember[member] === 1);
  return members.length === 0 ? undefined : members;
}
