/**
 * What each operation of each libvirt hook driver is, and what it means for us. Facts only: the place where
 * operations are told apart. The rows are in `drivers/`; the documentation's operations page is made from them.
 *
 * Sources: libvirt `docs/hooks.rst`, and the callers of `virHookCall` in libvirt 9.0.0 and 11.3.0 that each row names.
 * @module
 */

/** The hook names libvirt knows and this product serves (`virHookDriverType`). */
export type DriverName = "daemon" | "qemu" | "lxc" | "libxl" | "network";

/** The kind of thing a hook's first argument names. */
export type ObjectKind = "daemon" | "domain" | "network";

/** How long a demand on the host lasts: what {@linkcode Operation.verb} acts on. */
export type Lifetime = "domain" | "running" | "network" | "port";

/**
 * What an operation does to demands of its lifetimes: `acquire`, `ensure` and `release` them, `filter` the XML that
 * libvirt goes on with, or only `observe`.
 */
export type Verb = "acquire" | "ensure" | "release" | "filter" | "observe";

/**
 * What libvirt does when the hook exits non-zero. `aborts`: what was asked for does not happen. `kills`: the guest, which
 * already runs, is killed. `abandons`: libvirt forgets the running guest. `leaks`: the network is refused but its bridge
 * stays behind (libvirt 9). `reports`: the change stays, its caller sees an error. `ignored`: logged at most.
 */
export type Consequence = "aborts" | "kills" | "abandons" | "leaks" | "reports" | "ignored";

/** One operation of one driver. */
export interface Operation {
  /** The third argument libvirt gives. */
  readonly subOperation: string;
  readonly verb: Verb;
  readonly lifetimes: readonly Lifetime[];
  readonly onFailure: Consequence;
  /** Whether libvirt reads our stdout as the XML to go on with. */
  readonly filter: boolean;
  /** Set where the daemon's main loop waits for the call: it waits for nothing that another hook is at. */
  readonly mustNotWait?: true;
  /** How long the whole call may take unless the settings say otherwise. */
  readonly budgetMs: number;
  /** The first version of libvirt that calls it, under whichever name. */
  readonly since: string;
  /** The first version of libvirt that calls it no more. */
  readonly until?: string;
  /** The function of libvirt that calls it. */
  readonly source: string;
  /** What else a reader should know. */
  readonly note?: string;
}

/** One hook driver: what its first argument names, what it reads, and its operations. */
export interface Driver {
  readonly name: DriverName;
  readonly object: ObjectKind;
  /** What libvirt writes to the hook's stdin. */
  readonly stdin: "nothing" | "domain" | "hookData";
  readonly operations: Readonly<Record<string, Operation>>;
  /** Names of older libvirt versions and what they are called today. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Operations that get a shut-off reason as their extra argument. */
  readonly reasonAt: readonly string[];
}

/** Whether a failure of ours makes the call fail: always, only where a rule insists, or never. */
export type FailurePolicy = "strict" | "lenient" | "never";

const POLICY = {
  aborts: "strict",
  kills: "lenient",
  abandons: "lenient",
  reports: "lenient",
  leaks: "never",
  ignored: "never",
} as const satisfies Record<Consequence, FailurePolicy>;

/** Says whether a failure of ours fails a call of this operation. */
export function failurePolicy(operation: Operation): FailurePolicy {
  return POLICY[operation.onFailure];
}

/** The first version of libvirt that passes the shut-off reason to the hooks (libvirt's `docs/hooks.rst`). */
export const REASON_SINCE = "10.5.0";

/** The shut-off reasons libvirt gives as `release`'s extra argument since {@linkcode REASON_SINCE} (`virDomainShutoffReason`). */
export const shutoffReasons = [
  "unknown",
  "shutdown",
  "destroyed",
  "crashed",
  "migrated",
  "saved",
  "failed",
  "from snapshot",
  "daemon",
] as const;
