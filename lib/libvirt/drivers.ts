/**
 * All drivers, by name.
 * @module
 */
import type { Driver, DriverName } from "./driver.ts";
import { daemon } from "./drivers/daemon.ts";
import { libxl } from "./drivers/libxl.ts";
import { lxc } from "./drivers/lxc.ts";
import { network } from "./drivers/network.ts";
import { qemu } from "./drivers/qemu.ts";

/** Every driver this product serves, in libvirt's own order. */
export const drivers = { daemon, qemu, lxc, libxl, network } as const satisfies Record<DriverName, Driver>;

/** The drivers that each daemon serves, by the name of its program (the kernel keeps 15 bytes of it). */
export const DRIVERS_OF_DAEMON: Readonly<Record<string, readonly string[]>> = {
  libvirtd: ["qemu", "lxc", "libxl", "network"],
  virtqemud: ["qemu"],
  virtlxcd: ["lxc"],
  virtxend: ["libxl"],
  virtnetworkd: ["network"],
};
