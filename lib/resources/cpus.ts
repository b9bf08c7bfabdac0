/**
 * The CPUs that the host's own programs may use. One resource: every holder removes its CPUs from the same set. On
 * hosts with systemd the cgroups of systemd are set through systemd, which would otherwise revert them; on other
 * hosts the cgroups are written directly.
 * @module
 */
import * as v from "valibot";
import { nameCpus } from "../config/cpu_list.ts";
import type { CpusDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { listCgroups, writeCgroups } from "./cpus/cgroup.ts";
import { showShares, writeShares } from "./cpus/slices.ts";
import {
  describeCpus,
  type HostCpus,
  hostCpusSchema,
  membersOf,
  normalCpus,
  rebasedCpus,
  wantedCpus,
} from "./cpus/host_cpus.ts";
import { type Refused, type Resolution, resource } from "./resource.ts";
import { isSystemdHost } from "./systemctl.ts";

const KEY = "cpus";
const ONLINE = "/sys/devices/system/cpu/online";

/** The controllers of cgroup version 2: alone, and beside version 1. */
const CONTROLLERS = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers"] as const;

/** CPUs of the host's own programs, as a resource kind. */
export const cpus = resource<CpusDemand, HostCpus>({
  name: "cpus",
  demand: v.object({ cpus: v.array(v.number()) }),
  value: hostCpusSchema,
  restores: "difference",
  tools: [],
  resolve,
  read: async (_key, sys) => {
    const found = await readHost(sys);
    return "kind" in found ? { kind: "unreadable", reason: found.reason } : { kind: "value", value: found };
  },
  wanted: wantedCpus,
  rebase: rebasedCpus,
  write: (change, sys) => change.to.by === "systemd" ? writeShares(change, sys) : writeCgroups(change, sys),
  describe: describeCpus,
});

async function resolve(demand: CpusDemand, sys: Sys): Promise<Resolution<CpusDemand>> {
  const host = await readHost(sys);
  if ("kind" in host) return host;
  const online = membersOf(host.online);
  const missing = demand.cpus.filter((cpu) => !online.includes(cpu));
  if (missing.length > 0) {
    return { kind: "refused", reason: `not online: ${nameCpus(missing)}; this host has ${host.online}` };
  }
  const resolved = { kind: "resolved", key: KEY, demand } as const;
  const note = configuredNote(host);
  return note === undefined ? resolved : { ...resolved, note };
}

/**
 * Warns about unit files of the administrator that set AllowedCPUs: whenever systemd reads its files, their value is
 * merged with ours or overrides it.
 */
function configuredNote({ by, shares }: HostCpus): string | undefined {
  if (by !== "systemd") return undefined;
  const names = Object.entries(shares).filter(([, { cpus: own, dropIn }]) => own !== "" && dropIn === null);
  if (names.length === 0) return undefined;
  const units = names.map(([name]) => name).join(", ");
  return `AllowedCPUs of ${units} comes from a unit file: after a "systemctl daemon-reload" that value applies again until "virt-hooks reconcile"`;
}

async function readHost(sys: Sys): Promise<HostCpus | Refused> {
  const facts = await sys.kernel.read([ONLINE, ...CONTROLLERS]);
  const online = normalCpus(facts.get(ONLINE) ?? "");
  if (online === "") return { kind: "refused", reason: `${ONLINE} cannot be read` };
  const hasController = CONTROLLERS.some((path) => facts.get(path)?.trim().split(/\s+/).includes("cpuset"));
  if (!hasController) {
    const reason = "the cpuset controller of cgroup version 2 is missing, so no program can be kept off a CPU";
    return {
      kind: "refused",
      reason,
      hint: "boot with systemd.unified_cgroup_hierarchy=1 (and without cgroup_disable=)",
    };
  }
  const shares = isSystemdHost(sys) ? await showShares(sys) : await listCgroups(sys);
  if ("kind" in shares) return shares;
  return { by: isSystemdHost(sys) ? "systemd" : "cgroup", online, shares: shares.shares };
}
