/**
 * The machine's own kernel, as far as the crowd uses it: keys and pages that no program misses.
 * @module
 */

/** What guests of a group want. */
export interface Wants {
  readonly swappiness?: number;
  readonly cachePressure?: number;
  readonly pageCluster?: number;
  readonly pages?: number;
}

/** Where it stands. */
const PATHS = {
  swappiness: "/proc/sys/vm/swappiness",
  cachePressure: "/proc/sys/vm/vfs_cache_pressure",
  pageCluster: "/proc/sys/vm/page-cluster",
  pages: "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
} as const satisfies Record<keyof Wants, string>;

/** What stands. */
export type Standing = Readonly<Record<keyof Wants, number>>;

/** The groups: they share keys in pairs, the last does not go with the second. */
export const GROUPS = [
  { swappiness: 1, pages: 1 },
  { swappiness: 1, cachePressure: 50 },
  { pages: 2, pageCluster: 1 },
  { pageCluster: 1 },
  { cachePressure: 150 },
] as const satisfies readonly Wants[];

/** Guests are called `gGROUP-NUMBER`. */
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

/** Reads what stands. */
export function readStanding(): Standing {
  const read = (path: string): number => Number(Deno.readTextFileSync(path));
  return {
    swappiness: read(PATHS.swappiness),
    cachePressure: read(PATHS.cachePressure),
    pageCluster: read(PATHS.pageCluster),
    pages: read(PATHS.pages),
  };
}

/** Puts back what a crowd that went wrong has left. */
export function writeStanding(observation: Standing): void {
  const now = readStanding();
  for (const name of ["swappiness", "cachePressure", "pageCluster", "pages"] as const) {
    if (now[name] !== observation[name]) Deno.writeTextFileSync(PATHS[name], String(observation[name]));
  }
}

/** What is less than these guests were promised. */
export function broken(promised: readonly Wants[], { base, now }: Record<"base" | "now", Standing>): readonly string[] {
  const pages = promised.reduce((sum, wants) => sum + (wants.pages ?? 0), base.pages);
  const wrong = (["swappiness", "cachePressure", "pageCluster"] as const).flatMap((name) => {
    const wanted = promised.find((wants) => wants[name] !== undefined)?.[name];
    return wanted === undefined || wanted === now[name] ? [] : [`${name} is ${now[name]}, ${wanted} is promised`];
  });
  return now.pages < pages ? [...wrong, `there are ${now.pages} pages, ${pages} are promised`] : wrong;
}
