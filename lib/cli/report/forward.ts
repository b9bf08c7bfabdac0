/**
 * A forward as `status` reports it.
 * @module
 */
import type { ForwardDemand, GuestAddress, PortProtocol } from "../../plan/nft_demand.ts";
import type { ResourceName } from "../../plan/demand.ts";
import { nftDemandIn } from "../../resources/nft.ts";
import { portText } from "../../resources/nft/rules.ts";
import { type FilterStatus, type ForwardStatus, readFilterStatus } from "../../resources/nft/traffic.ts";
import type { HeldDemand } from "../../resources/resource.ts";
import type { Sys } from "../../sys/sys.ts";

/** One forward. */
export interface ForwardReport {
  /** The host's addresses that are meant; none: all. */
  readonly addresses: readonly string[];
  /** `8080` or `8000-8010` */
  readonly ports: string;
  readonly protocol: PortProtocol;
  /** The networks of clients that may come in; none: all. */
  readonly from: readonly string[];
  readonly guest: {
    /** `null` while there is none. */
    readonly address: string | null;
    readonly ports: string;
    /** Where the address comes from. */
    readonly source: GuestAddress["source"] | null;
    /** The name of the libvirt network. */
    readonly network: string | null;
  };
  readonly state: ForwardStatus["state"];
  /** Why it is not `active`. */
  readonly because: string | null;
  /** What went through, both ways; `null` where nothing counts. */
  readonly packets: number | null;
  readonly bytes: number | null;
  /** How many connections began. */
  readonly connections: number | null;
}

/** Reports on demands on resources of any kind. */
export interface ForwardReporter {
  /** The report of a demand, where it is a forward. `unplugged`: why its guest is on no bridge. */
  report(kind: string, held: HeldDemand<unknown>, unplugged: string | undefined): ForwardReport | undefined;
  /** What keeps packets away, and `reconcile` does not cure. */
  problems(kind: string, demands: readonly HeldDemand<unknown>[]): readonly string[];
}

const KIND = "nft" satisfies ResourceName;

/** Reads the packet filter, if a resource needs it. */
export async function forwardReporter(kinds: readonly string[], sys: Sys): Promise<ForwardReporter> {
  if (!kinds.includes(KIND)) return { report: () => undefined, problems: () => [] };
  const watch = await readFilterStatus(sys);
  return {
    report: (kind, { holder, demand: data }, unplugged) => {
      const demand = kind === KIND ? nftDemandIn(data) : undefined;
      if (demand?.kind !== "forward") return undefined;
      const report = reportOf(holder, demand, watch);
      // What is wrong with the packet filter itself is told first.
      const isToldFirst = report.state === "drift" || report.state === "unknown";
      return unplugged === undefined || isToldFirst ? report : { ...report, state: "unplugged", because: unplugged };
    },
    problems: (kind, demands) => {
      if (kind !== KIND || demands.length === 0) return [];
      const known = demands.flatMap(({ demand }) => nftDemandIn(demand) ?? []);
      return [...new Set([...watch.missing, ...known.flatMap((demand) => watch.problems(demand))])];
    },
  };
}

function reportOf(who: string, demand: ForwardDemand, watch: FilterStatus): ForwardReport {
  const { hostAddresses, hostPorts, guestPort, protocol, from, guest } = demand;
  const { state, reason, traffic } = watch.forward({ holder: who, demand });
  const last = guestPort + hostPorts.last - hostPorts.first;
  return {
    addresses: hostAddresses,
    ports: portText(hostPorts),
    protocol,
    from,
    guest: {
      address: guest?.address ?? null,
      ports: portText({ first: guestPort, last }),
      source: guest?.source ?? null,
      network: guest?.on ?? null,
    },
    state,
    because: reason,
    packets: traffic?.packets ?? null,
    bytes: traffic?.bytes ?? null,
    connections: traffic?.connections ?? null,
  };
}
