/**
 * All CPUs that there can ever be on a host: also those that are not online yet.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { normalCpus } from "./host_cpus.ts";

const POSSIBLE = "/sys/devices/system/cpu/possible";

/** As a list, to be said where "all" cannot be: a group of version 2 with programs in it takes no empty list any more. */
export async function possibleCpus(online: string, sys: Pick<Sys, "kernel">): Promise<string> {
  return normalCpus((await sys.kernel.read([POSSIBLE])).get(POSSIBLE) ?? online);
}
