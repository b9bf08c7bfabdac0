/**
 * The kernel settings that the stress test changes on this machine: ones that no program depends on.
 * @module
 */

/** The values that guests of a group demand. */
export interface Wants {
  readonly swappiness?: number;
  readonly cachePressure?: number;
  readonly pageCluster?: number;
  readonly pages?: number;
}

const PATHS = {
  swappiness: "/proc/sys/vm/swappiness",
  cachePressure: "/proc/sys/vm/vfs_cache_pressure",
  pageCluster: "/proc/sys/vm/page-cluster",
  pages: "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
} as const satisfies Record<keyof Wants, string>;

/** The current values. */
export type Values = Readonly<Record<keyof Wants, number>>;

/** The groups: they share keys in pairs; the last conflicts with the second. */
export const GROUPS = [
  { swappiness: 1, pages: 1 },
  { swappiness: 1, cachePressure: 50 },
  { pages: 2, pageCluster: 1 },
  { pageCluster: 1 },
  { cachePressure: 150 },
] as const satisfies readonly Wants[];

/** The rules of all groups. Guests are named `gGROUP-NUMBER`. */
export const RULES = GROUPS.map((wants: Wants, group) => {
  const keys = [
    ...(wants.swappiness === undefined ? [] : [`"vm.swappiness" = ${wants.swappiness}`]),
    ...(wants.cachePressure === undefined ? [] : [`"vm.vfs_cache_pressure" = ${wants.cachePressure}`]),
    ...(wants.pageCluster === undefined ? [] : [`"vm.page-cluster" = ${wants.pageCluster}`]),
  ];
  return [
    "[[rule]]",
    `name = "group ${group}"`,
    `when = { domain = "g${group}-*" }`,
    ...(keys.length === 0 ? [] : [`sysctl = { ${keys.join(", ")} }`]),
    ...(wants.pages === undefined ? [] : [`hugepages = { pages = ${wants.pages}, size = "2M" }`]),
  ].join("\n");
}).join("\n\n");

/** Reads the current values. */
export function readValues(): Values {
  const read = (path: string): number => Number(Deno.readTextFileSync(path));
  return {
    swappiness: read(PATHS.swappiness),
    cachePressure: read(PATHS.cachePressure),
    pageCluster: read(PATHS.pageCluster),
    pages: read(PATHS.pages),
  };
}

/** Restores the values after a failed test. */
export function restoreValues(values: Values): void {
  const now = readValues();
  for (const name of ["swappiness", "cachePressure", "pageCluster", "pages"] as const) {
    if (now[name] !== values[name]) Deno.writeTextFileSync(PATHS[name], String(values[name]));
  }
}

/** Compares the current values to what these guests were granted. Returns a message for each difference. */
export function broken(granted: readonly Wants[], { base, now }: Record<"base" | "now", Values>): readonly string[] {
  const pages = granted.reduce((sum, wants) => sum + (wants.pages ?? 0), base.pages);
  const wrong = (["swappiness", "cachePressure", "pageCluster"] as const).flatMap((name) => {
    const wanted = granted.find((wants) => wants[name] !== undefined)?.[name];
    return wanted === undefined || wanted === now[name] ? [] : [`${name} is ${now[name]}, ${wanted} is granted`];
  });
  return now.pages < pages ? [...wrong, `there are ${now.pages} pages, ${pages} are granted`] : wrong;
}
