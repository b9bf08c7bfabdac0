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
