/**
 * The permissions of each binary. Deno's runtime enforces them, and nothing at run time can widen them. They do not apply
 * to the programs that a hook runs.
 *
 * No binary gets `--allow-all`. So a binary cannot open anything in `/proc`, `/sys` or `/dev` itself, because Deno
 * requires every permission at once for these. A program that the hook runs reads and writes there.
 * @module
 */
import { BuildError } from "./build_error.ts";
import type { TrailerSettings } from "./trailer.ts";

/** The permissions of one binary. */
export interface Grants {
  /** Flags for `deno compile`. */
  readonly permissions: readonly string[];
  /** Options of the JavaScript engine V8. */
  readonly v8Flags: readonly string[];
}

const REFUSED = [
  // No binary uses a network.
  "--deny-net",
  // Permissions do not apply to native libraries.
  "--deny-ffi",
  // All code is embedded.
  "--deny-import",
] as const;

const HOOK = {
  permissions: [
    // Rules files, programs that rules name, their folders up to `/` (for the owner check), and `file` selectors: each
    // can be any absolute path.
    "--allow-read",
    // The history, and the state that is kept until the next boot.
    "--allow-write=/var/log/virt-hooks,/run/virt-hooks",
    // Rules name programs by absolute path, so the list is not known here. The hook decides by owner and mode whether a
    // program may run.
    "--allow-run",
    // Whether the hook runs as root, and the host's name for the `host` selector.
    "--allow-sys=uid,hostname",
    // libvirt passes its own environment on; nothing in it may influence a hook.
    "--deny-env",
    ...REFUSED,
  ],
  v8Flags: [
    // No machine code is generated at run time: faster for a program this short, and required where a policy forbids
    // memory that is both writable and executable.
    "--jitless",
    // Threads help only a long-running program, and cost time at the start.
    "--single-threaded",
    // In MB: a bug ends the hook before it fills the host's memory. The largest documents (`lib/xml/limits.ts`) need 160.
    // A hook that runs out of memory is killed, with an exit code that it does not choose.
    "--max-old-space-size=256",
  ],
} as const satisfies Grants;

const ADMIN = {
  permissions: [
    // Rules files on the command line, and the same trust checks as in a hook.
    "--allow-read",
    // `disable` and `enable`, and the history.
    "--allow-write=/etc/virt-hooks,/var/log/virt-hooks,/run/virt-hooks",
    // Whether it runs as root, and the `host` selector.
    "--allow-sys=uid,hostname",
    // Whether to use colour.
    "--allow-env=NO_COLOR,TERM",
    // As for a hook: `reconcile` and `release` restore what hooks changed, and programs read the kernel's files.
    "--allow-run",
    ...REFUSED,
  ],
  // As for a hook, with more memory for a long history.
  v8Flags: ["--jitless", "--single-threaded", "--max-old-space-size=512"],
} as const satisfies Grants;

/** The permissions of all binaries, by name. */
export const GRANTS = {
  daemon: HOOK,
  qemu: HOOK,
  lxc: HOOK,
  libxl: HOOK,
  network: HOOK,
  "virt-hooks": ADMIN,
} as const satisfies Readonly<Record<string, Grants>>;

/**
 * Returns the permissions of a binary.
 *
 * @throws {BuildError} For a binary that is not in the table.
 */
export function grantsOf(name: string): Grants {
  const rows: Readonly<Record<string, Grants>> = GRANTS;
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (row === undefined) {
    throw new BuildError(
      `Cannot build ${name}: it has no permissions`,
      "add it to GRANTS in build/permissions.ts",
    );
  }
  return row;
}

/** Returns the keys of a trailer's permissions for these flags: `--allow-run` is `allow_run: []`; other keys are null. */
export function expectedPermissions(grants: Grants): ReadonlyMap<string, readonly string[]> {
  return new Map(grants.permissions.map((flag) => {
    const [name = "", values] = flag.slice("--".length).split("=");
    return [name.replaceAll("-", "_"), values === undefined ? [] : values.split(",")] as const;
  }));
}

/** Lists the differences between embedded permissions and those of the table. */
export function permissionMistakes(embedded: TrailerSettings["permissions"], grants: Grants): readonly string[] {
  const expected = expectedPermissions(grants);
  const keys = new Set([...Object.keys(embedded), ...expected.keys()]);
  return [...keys].filter((key) => key !== "prompt" && !isUnusedDefault(key, embedded)).flatMap((key) => {
    const found = JSON.stringify(embedded[key] ?? null);
    const wanted = JSON.stringify(expected.get(key) ?? null);
    return found === wanted ? [] : [`${key} is ${found}, not ${wanted}`];
  });
}

/** Deno embeds its list of public hosts for imports in every program; `deny_import: []` overrides it. */
function isUnusedDefault(key: string, embedded: TrailerSettings["permissions"]): boolean {
  const denied = embedded["deny_import"];
  return key === "allow_import" && Array.isArray(denied) && denied.length === 0;
}
