/**
 * What the machine must have to run a systemd of a test's own, and which of it is missing.
 * @module
 */

/** A program with the Debian package that brings it. */
interface Program {
  readonly path: string;
  readonly package: string;
}

const SYSTEMD: readonly Program[] = [
  { path: "/usr/lib/systemd/systemd", package: "systemd" },
  { path: "/usr/bin/systemctl", package: "systemd" },
];
const MACHINE: readonly Program[] = [
  ...SYSTEMD,
  { path: "/usr/bin/systemd-nspawn", package: "systemd-container" },
  { path: "/usr/bin/nsenter", package: "util-linux" },
  // For firewalld and for libvirt, which run in it.
  { path: "/usr/lib/python3/dist-packages/dbus/__init__.py", package: "python3-dbus" },
  { path: "/usr/lib/python3/dist-packages/gi/__init__.py", package: "python3-gi" },
  { path: "/usr/sbin/libvirtd", package: "libvirt-daemon-system" },
];
const GUEST: readonly Program[] = [
  ...SYSTEMD,
  { path: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86" },
  { path: "/bin/busybox", package: "busybox-static" },
  { path: "/usr/bin/apt-get", package: "apt" },
];

/** What is missing to boot a systemd in a container; each with what to do. */
export function missingForMachine(): readonly string[] {
  if (Deno.uid() !== 0) return ["not root"];
  const missing = missingOf(MACHINE);
  if (missing.length > 0) return missing;
  return navigator.hardwareConcurrency < 2 ? ["only one CPU: none can be isolated"] : [];
}

/** What is missing to boot a systemd in a guest of our own. */
export function missingForGuest(): readonly string[] {
  return missingOf(GUEST);
}

function missingOf(programs: readonly Program[]): readonly string[] {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return ["not Linux on x86_64"];
  const missing = programs.filter(({ path }) => !exists(path))
    .map(({ path, package: brought }) => `no ${path} (Debian package ${brought})`);
  if (missing.length > 0) return missing;
  return Deno.lstatSync("/bin").isSymlink ? [] : ["/bin is no link to /usr/bin, so /usr alone cannot be booted"];
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
