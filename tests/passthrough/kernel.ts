/**
 * The distribution's kernel, fetched as a package into a cache outside the checkout: the guest's, not this machine's.
 * @module
 */

/** A kernel and its modules, unpacked. */
export interface GuestKernel {
  /** `6.1.0-56-amd64` */
  readonly release: string;
  /** The bootable image. */
  readonly image: string;
  /** The folder of its modules. */
  readonly modules: string;
}

const META_PACKAGE = "linux-image-amd64";

function cacheFolder(): string {
  const caches = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${caches}/virt-hooks/kernel`;
}

async function output(argv: readonly [string, ...string[]], cwd = "/"): Promise<string> {
  const [program, ...args] = argv;
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run ${argv.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

function unpacked(folder: string): GuestKernel | undefined {
  try {
    const [entry] = Deno.readDirSync(`${folder}/lib/modules`);
    const release = entry?.name;
    if (release === undefined) return undefined;
    return { release, image: `${folder}/boot/vmlinuz-${release}`, modules: `${folder}/lib/modules/${release}` };
  } catch {
    return undefined;
  }
}

/** The kernel; fetched and unpacked (some 70 MB) where it is not in the cache yet. */
export async function fetchKernel(): Promise<GuestKernel> {
  const resolved = `${cacheFolder()}/unpacked`;
  return unpacked(resolved) ?? await unpackInto(resolved);
}

/** Unpacked beside its place and renamed, so that nobody meets a half of it. */
async function unpackInto(resolved: string): Promise<GuestKernel> {
  Deno.mkdirSync(cacheFolder(), { recursive: true });
  const work = Deno.makeTempDirSync({ dir: cacheFolder(), prefix: "fetching." });
  try {
    const depends = await output(["apt-cache", "depends", META_PACKAGE]);
    const [, name] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
    if (name === undefined) throw new Error(`Cannot tell what ${META_PACKAGE} depends on: run apt-get update`);
    await output(["apt-get", "download", name], work);
    const [file] = [...Deno.readDirSync(work)].filter((entry) => entry.name.endsWith(".deb"));
    if (file === undefined) throw new Error(`Cannot find what apt-get download ${name} fetched`);
    await output(["dpkg-deb", "-x", `${work}/${file.name}`, `${work}/unpacked`]);
    try {
      Deno.renameSync(`${work}/unpacked`, resolved);
    } catch (error) {
      if (unpacked(resolved) === undefined) throw error;
    }
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  const kernel = unpacked(resolved);
  if (kernel === undefined) throw new Error(`Cannot find the modules of the kernel in ${resolved}`);
  return kernel;
}
