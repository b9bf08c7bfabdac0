/**
 * The smallest guests that libvirt starts: a QEMU domain without a disk, run by TCG, and a container that is busybox.
 * @module
 */
import type { Node } from "./node.ts";

/** The password of every VNC server here: it must be found nowhere else. */
export const VNC_PASSWORD = "s3cr3tpw";

/** What a QEMU domain can have beside the least. */
export interface QemuOptions {
  /** The network its interface is in. */
  readonly network?: string;
  readonly uuid?: string;
  /** The raw file that is its disk. */
  readonly disk?: string;
  /** Instead of its 32 MiB. */
  readonly memoryMib?: number;
  /** Its memory stands on huge pages of this size. */
  readonly hugepagesKib?: number;
  /** The address its VNC server listens on, with a password. */
  readonly vnc?: string;
}

/** A QEMU domain of 32 MiB that boots into "no bootable device". */
export function qemuDomain(name: string, options: QemuOptions = {}): string {
  const disk = options.disk === undefined ? "" : `<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${options.disk}'/><target dev='vda' bus='virtio'/>
    </disk>`;
  const vnc = options.vnc === undefined
    ? ""
    : `<graphics type='vnc' autoport='yes' listen='${options.vnc}' passwd='${VNC_PASSWORD}'/>`;
  const network = options.network === undefined
    ? ""
    : `<interface type='network'><source network='${options.network}'/></interface>`;
  const backing = options.hugepagesKib === undefined
    ? ""
    : `<memoryBacking><hugepages><page size='${options.hugepagesKib}' unit='KiB'/></hugepages></memoryBacking>`;
  return `<domain type='qemu'>
  <name>${name}</name>${options.uuid === undefined ? "" : `<uuid>${options.uuid}</uuid>`}
  <memory unit='MiB'>${options.memoryMib ?? 32}</memory>${backing}
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    ${network}${disk}${vnc}
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

/** What a container can have beside its 64 MiB. */
export interface LxcOptions {
  readonly network?: string;
  readonly uuid?: string;
  /** What its shell does; without, it waits to be told to end (process 1 ignores SIGTERM unless it asks for it). */
  readonly init?: string;
}

const WAIT = "trap exit TERM; sleep 100000 &amp; wait";

/** A container that is one shell; `root` comes from {@linkcode makeContainerRoot}. */
export function lxcDomain(name: string, root: string, options: LxcOptions = {}): string {
  const network = options.network === undefined
    ? ""
    : `<interface type='network'><source network='${options.network}'/></interface>`;
  return `<domain type='lxc'>
  <name>${name}</name>${options.uuid === undefined ? "" : `<uuid>${options.uuid}</uuid>`}
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>exe</type>
    <init>/bin/sh</init><initarg>-c</initarg><initarg>${options.init ?? WAIT}</initarg></os>
  <devices>
    <filesystem type='mount' accessmode='passthrough'><source dir='${root}'/><target dir='/'/></filesystem>
    ${network}
    <console type='pty'/>
  </devices>
</domain>
`;
}

/** The statically linked busybox that becomes the container. */
export const BUSYBOX = "/bin/busybox";

/** Makes a container's root folder in the node's scratch folder; returns its path. */
export async function makeContainerRoot(node: Node, name = "container"): Promise<string> {
  const root = `${node.scratch}/${name}`;
  for (const folder of ["bin", "dev", "etc", "proc", "sys", "tmp"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.copyFile(BUSYBOX, `${root}/bin/busybox`);
  for (const applet of ["sh", "sleep"]) await Deno.symlink("busybox", `${root}/bin/${applet}`);
  return root;
}

/** libvirt's own default network. */
export const DEFAULT_NETWORK = `<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='off' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
`;

/** The same network, also with IPv6 and its masquerading. */
export const DUAL_STACK_NETWORK = DEFAULT_NETWORK
  .replace("<forward mode='nat'/>", "<forward mode='nat'><nat ipv6='yes'/></forward>")
  .replace("</network>", "  <ip family='ipv6' address='fd00:122::1' prefix='64'/>\n</network>");

/** Defines a domain or network in the node from its XML. */
export async function define(node: Node, kind: "qemu" | "lxc" | "network", xml: string): Promise<void> {
  const file = `${node.scratch}/define.xml`;
  await Deno.writeTextFile(file, xml);
  const uri = kind === "lxc" ? "lxc:///system" : "qemu:///system";
  await node.mustVirsh([kind === "network" ? "net-define" : "define", file], { uri });
}
