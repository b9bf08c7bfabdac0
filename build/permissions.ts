/**
 * What each binary may do. Deno's runtime holds the program to it and nothing at run time can widen it; a program that
 * a hook runs is not held to it.
 *
 * No binary gets `--allow-all`. The price: a binary cannot open anything in `/proc`, `/sys` or `/dev` by itself, because
 * Deno wants every permission at once for these. What must be read or written there is done by a program that
 * the hook runs.
 * @module
 */
import { BuildError } from "./build_error.ts";
import type { TrailerSettings } from "./trailer.ts";

/** One row of the table. */
export interface Grants {
  /** Flags for `deno compile`. */
  readonly permissions: readonly string[];
  /** Options of V8, JavaScript's engine. */
  readonly v8Flags: readonly string[];
}

const REFUSED = [
  // Nothing of ours speaks to a network.
  "--deny-net",
  // Native libraries would not be held to any of this.
  "--deny-ffi",
  // All code is in the binary; none is fetched.
  "--deny-import",
] as const;

const HOOK = {
  permissions: [
    // Rules files, programs that rules name, their folders up to `/` (is root alone their owner?), and `file`
    // selectors: each may be any absolute path.
    "--allow-read",
    // The history; what must be remembered until the next boot.
    "--allow-write=/var/log/virt-hooks,/run/virt-hooks",
    // Rules name programs by absolute path, so no list can be known here. Whether one may run is decided by its
    // owner and mode.
    "--allow-run",
    // Not root: do nothing. The host's name: the `host` selector.
    "--allow-sys=uid,hostname",
    // libvirt hands its own environment down; nothing in it may steer a hook.
    "--deny-env",
    ...REFUSED,
  ],
  v8Flags: [
    // No machine code is made at run time: faster for a program this short, and needed where a policy forbids memory
    // that is both writable and executable.
    "--jitless",
    // Threads that would only help a long-running program cost time at the start.
    "--single-threaded",
    // In MB: a bug ends in a second, not after filling the host's memory. The largest documents (`lib/xml/limits.ts`) do
    // with 160: a hook that runs out of memory ends without an exit code of its own.
    "--max-old-space-size=256",
  ],
} as const satisfies Grants;

const ADMIN = {
  permissions: [
    // Rules files named on the command line, and the same trust checks as a hook's.
    "--allow-read",
    // `disable` and `enable`; the history.
    "--allow-write=/etc/virt-hooks,/var/log/virt-hooks,/run/virt-hooks",
    // Root or not; the `host` selector of a plan.
    "--allow-sys=uid,hostname",
    // Colour or not.
    "--allow-env=NO_COLOR",
    // As for a hook: reconcile and release undo what hooks did, and the kernel's files are read by programs.
    "--allow-run",
    ...REFUSED,
  ],
  // As for a hook, but with room for a long history.
  v8Flags: ["--jitless", "--single-threaded", "--max-old-space-size=512"],
} as const satisfies Grants;

/** The table: a row for each binary. */
export const GRANTS = {
  daemon: HOOK,
  qemu: HOOK,
  lxc: HOOK,
  libxl: HOOK,
  network: HOOK,
  "virt-hooks": ADMIN,
} as const satisfies Readonly<Record<string, Grants>>;

/**
 * The row of a binary.
 *
 * @throws {BuildError} For a binary that is not in the table.
 */
export function grantsOf(name: string): Grants {
  const rows: Readonly<Record<string, Grants>> = GRANTS;
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (row === undefined) {
    throw new BuildError(
      `Cannot build ${name}: nothing says what it may do`,
      "give it a row in the table of build/permissions.ts",
    );
  }
  return row;
}

/** What keys a trailer's permissions have for these flags: `--allow-run` is `allow_run: []`, every other key is null. */
export function expectedPermissions(grants: Grants): ReadonlyMap<string, readonly string[]> {
  return new Map(grants.permissions.map((flag) => {
    const [name = "", values] = flag.slice("--".length).split("=");
    return [name.replaceAll("-", "_"), values === undefined ? [] : values.split(",")] as const;
  }));
}

/** Says where baked permissions are not those of the table, or nothing. */
export function permissionMistakes(baked: TrailerSettings["permissions"], grants: Grants): readonly string[] {
  const expected = expectedPermissions(grants);
  const keys = new Set([...Object.keys(baked), ...expected.keys()]);
  return [...keys].filter((key) => key !== "prompt" && !isUnusedDefault(key, baked)).flatMap((key) => {
    const found = JSON.stringify(baked[key] ?? null);
    const wanted = JSON.stringify(expected.get(key) ?? null);
    return found === wanted ? [] : [`${key} is ${found}, not ${wanted}`];
  });
}

/** Deno bakes its list of public hosts for imports into every program; `deny_import: []` overrules all of it. */
function isUnusedDefault(key: string, baked: TrailerSettings["permissions"]): boolean {
  const denied = baked["deny_import"];
  return key === "allow_import" && Array.isArray(denied) && denied.length === 0;
}
