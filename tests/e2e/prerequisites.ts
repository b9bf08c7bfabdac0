/**
 * What the machine must have for the end-to-end tests, and which of it is missing.
 * @module
 */
import { BUSYBOX } from "./guests.ts";

/** Programs by the Debian package that brings them. */
const PROGRAMS = [
  { program: "libvirtd", package: "libvirt-daemon-system" },
  { program: "virtlogd", package: "libvirt-daemon-system" },
  { program: "virsh", package: "libvirt-clients" },
  { program: "qemu-system-x86_64", package: "qemu-system-x86" },
  { program: "dhclient", package: "isc-dhcp-client" },
  { program: "dnsmasq", package: "dnsmasq-base" },
  { program: "iptables", package: "iptables" },
  { program: "nft", package: "nftables" },
  { program: "conntrack", package: "conntrack" },
  { program: "dockerd", package: "docker.io" },
  { program: "ufw", package: "ufw" },
  { program: "ip", package: "iproute2" },
  { program: "unshare", package: "util-linux" },
  { program: "nsenter", package: "util-linux" },
  { program: "mount", package: "mount" },
  { program: "busybox", package: "busybox-static" },
] as const;
const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** Where distributions keep the LXC driver's helper. */
const LXC_HELPERS = ["/usr/lib/libvirt/libvirt_lxc", "/usr/libexec/libvirt_lxc"];

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function succeeds(program: string, args: string[]): string | undefined {
  const output = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).outputSync();
  return output.success ? undefined : new TextDecoder().decode(output.stderr).trim() || `exit code ${output.code}`;
}

/** A dynamically linked busybox runs no container: alone in a root folder it must start. */
function busyboxProblem(): string | undefined {
  if (!exists(BUSYBOX)) return `no ${BUSYBOX} (Debian package busybox-static)`;
  const root = Deno.makeTempDirSync({ prefix: "virt-hooks-e2e-busybox." });
  try {
    Deno.copyFileSync(BUSYBOX, `${root}/busybox`);
    const problem = succeeds("chroot", [root, "/busybox", "true"]);
    return problem && `${BUSYBOX} is not static (Debian package busybox-static): ${problem}`;
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function namespaceProblem(): string | undefined {
  const kinds = ["--mount", "--cgroup", "--net", "--uts", "--ipc", "--pid", "--fork"];
  const problem = succeeds("unshare", [...kinds, "mount", "-t", "proc", "proc", "/proc"]);
  return problem && `namespaces are refused: ${problem}`;
}

/** libvirt's LXC driver needs the memory controller, which a v2 root group has to hand on (systemd makes it so). */
function cgroupProblem(): string | undefined {
  if (!exists("/sys/fs/cgroup/cgroup.controllers")) return undefined;
  const handedOn = Deno.readTextFileSync("/sys/fs/cgroup/cgroup.subtree_control").split(/\s+/);
  return handedOn.includes("memory") ? undefined : "no memory controller in /sys/fs/cgroup/cgroup.subtree_control";
}

/** Everything that is missing, each with what to do; empty when the tests can run. */
export function missingPrerequisites(): readonly string[] {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return ["not Linux on x86_64"];
  if (Deno.uid() !== 0) return ["not root"];
  const missing: string[] = [];
  for (const { program, package: brought } of PROGRAMS) {
    if (!FOLDERS.some((folder) => exists(`${folder}/${program}`))) {
      missing.push(`no ${program} (Debian package ${brought})`);
    }
  }
  if (!LXC_HELPERS.some(exists)) missing.push("no libvirt_lxc (Debian package libvirt-daemon-driver-lxc)");
  if (!exists("/dev/net/tun")) missing.push("no /dev/net/tun, which a guest's interface needs (modprobe tun)");
  if (!exists("/dev/fuse")) missing.push("no /dev/fuse, which libvirt_lxc needs (modprobe fuse)");
  if (missing.length > 0) return missing;
  return [busyboxProblem(), namespaceProblem(), cgroupProblem()].filter((problem) => problem !== undefined);
}
