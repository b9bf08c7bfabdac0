/**
 * Packages of the distribution for a machine of a test's own: fetched into a cache outside the checkout and laid over its
 * `/usr`, so that this machine never has them.
 * @module
 */

function cacheFolder(): string {
  const caches = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${caches}/virt-hooks/packages`;
}

/** Unpacks a package where it is not in the cache yet, and tells the folder that goes over `/usr`. */
export async function fetchPackage(name: string): Promise<string> {
  const resolved = `${cacheFolder()}/${name}`;
  if (!isThere(resolved)) await unpackInto(resolved, name);
  return `${resolved}/usr`;
}

/** Unpacked beside its place and renamed, so that nobody meets a half of it. */
async function unpackInto(resolved: string, name: string): Promise<void> {
  Deno.mkdirSync(cacheFolder(), { recursive: true });
  const work = Deno.makeTempDirSync({ dir: cacheFolder(), prefix: "fetching." });
  try {
    await run(["apt-get", "download", name], work);
    const [file] = [...Deno.readDirSync(work)].filter((entry) => entry.name.endsWith(".deb"));
    if (file === undefined) throw new Error(`Cannot find what apt-get download ${name} fetched`);
    await run(["dpkg-deb", "-x", `${work}/${file.name}`, `${work}/unpacked`], work);
    // Debian 12 still packs files for the folders that are links into /usr.
    await run(["sh", "-c", "for top in lib sbin bin; do [ ! -d $top ] || cp -a $top usr/; done"], `${work}/unpacked`);
    try {
      Deno.renameSync(`${work}/unpacked`, resolved);
    } catch (error) {
      if (!isThere(resolved)) throw error;
    }
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

async function run([program, ...args]: readonly [string, ...string[]], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null", stdout: "null" }).output();
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
