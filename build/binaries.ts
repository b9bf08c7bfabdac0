/**
 * Which binaries there are: one for each file in `hooks/`, and the admin command.
 * @module
 */
import { BuildError } from "./build_error.ts";

/** One binary to build. */
export interface Binary {
  /** Its name in the table of permissions, and its file name. */
  readonly name: string;
  readonly kind: "hook" | "admin";
  /** Its source, below the project's root. */
  readonly entry: string;
  /** Where it ends up, below `dist/TARGET`. */
  readonly output: string;
}

const ADMIN = { name: "virt-hooks", kind: "admin", entry: "cli.ts", output: "virt-hooks" } as const satisfies Binary;

/**
 * Lists the binaries of the project at `root`: the hooks by name, then the admin command.
 *
 * @throws {BuildError} When there are no sources.
 */
export async function listBinaries(root: string): Promise<readonly Binary[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(`${root}/hooks`)) {
      if (isFile && name.endsWith(".ts")) names.push(name.slice(0, -".ts".length));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const hooks = names.toSorted().map((name): Binary => {
    return { name, kind: "hook", entry: `hooks/${name}.ts`, output: `hooks/${name}` };
  });
  const hasAdmin = await Deno.stat(`${root}/${ADMIN.entry}`).then(() => true, () => false);
  if (hooks.length === 0 && !hasAdmin) {
    throw new BuildError(
      `Cannot build: ${root} has neither hooks/*.ts nor cli.ts`,
      "run this in a checkout of virt-hooks",
    );
  }
  return hasAdmin ? [...hooks, ADMIN] : hooks;
}
