/**
 * A host of one's own: a root folder with nothing but busybox, /proc, a libvirt of empty files and an unpacked archive,
 * entered with namespaces. There install.sh runs without DESTDIR, and mounts and daemons are as real as they can be.
 * @module
 */
import { makeArchive } from "./archive.ts";
import { leaveOut } from "./prerequisite.ts";
import { installBusybox, type Ran, run, writeScript } from "./scenario.ts";

/** Starts what looks like a running libvirtd: a process of that name. Tells its process number in `$daemon`. */
export const START_LIBVIRTD = `
(exec -a sleep /usr/sbin/libvirtd 600 </dev/null >/dev/null 2>&1) & daemon=$!
until [ "$(cat /proc/$daemon/comm)" = libvirtd ]; do kill -0 $daemon || exit 9; done
`;

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const ENTER = `mount --bind /dev/null "$0/dev/null"
mount -t proc proc "$0/proc" || mount --rbind /proc "$0/proc"
exec chroot "$0" /bin/sh -c "$1"`;

function unshareArgv(): readonly string[] {
  const flags = Deno.uid() === 0 ? "-mpf" : "-rmpf";
  return ["/usr/bin/unshare", flags, "--kill-child", "/bin/sh", "-c"];
}

/** Whether tests that need a private host must be left out: namespaces are refused. @throws {Error} where CI=true */
export async function hasNoNamespaces(): Promise<boolean> {
  try {
    const ran = await run([...unshareArgv(), "exit 0"], { PATH });
    if (ran.code === 0) return false;
    leaveOut(`namespaces are refused here: ${ran.stderr.trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    leaveOut("the program unshare is missing");
  }
  return true;
}

/** Makes the root folder of a private host, with version 1.0.0 unpacked in /root/archive. */
export async function makePrivateHost(root: string): Promise<void> {
  for (const folder of ["proc", "tmp", "etc/libvirt/hooks", "usr/local/sbin", "usr/local/lib", "var/lib", "var/log"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.mkdir(`${root}/dev`);
  await Deno.writeTextFile(`${root}/dev/null`, "");
  await installBusybox(`${root}/bin`);
  // The links that busybox makes lead to the place where it was called; inside it is /bin.
  for (const { name, isSymlink } of Deno.readDirSync(`${root}/bin`)) {
    if (!isSymlink) continue;
    Deno.removeSync(`${root}/bin/${name}`);
    Deno.symlinkSync("busybox", `${root}/bin/${name}`);
  }
  await Deno.mkdir(`${root}/usr/sbin`);
  await Deno.copyFile(`${root}/bin/busybox`, `${root}/usr/sbin/libvirtd`);
  await writeScript(`${root}/usr/lib64/libvirt/connection-driver/libvirt_driver_qemu.so`, "");
  await Deno.symlink("libvirt.so.0.9000.0", `${root}/usr/lib64/libvirt.so.0`);
  await Deno.writeTextFile(`${root}/usr/lib64/libvirt.so.0.9000.0`, "");
  await makeArchive(`${root}/root/archive`, { version: "1.0.0" });
}

/** Runs a shell script as root of the private host. */
export function runInside(root: string, script: string): Promise<Ran> {
  return run([...unshareArgv(), ENTER, root, `cd /root/archive\n${script}`], { PATH });
}
