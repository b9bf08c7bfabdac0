/**
 * All CPUs that a host can have, including those that are not online.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { normalCpus } from "./host_cpus.ts";

const POSSIBLE = "/sys/devices/system/cpu/possible";

/**
 * Reads the list of possible CPUs, to be written where an empty list cannot be: a cgroup of version 2 with programs
 * in it accepts no empty list.
 */
export async function possibleCpus(online: string, sys: Pick<Sys, "kernel">): Promise<string> {
  return normalCpus((await sys.kernel.read([POSSIBLE])).get(POSSIBLE) ?? online);
}
