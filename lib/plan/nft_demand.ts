/**
 * What a guest or a network needs of the host's packet filter, as data. `null` where something is not known: JSON keeps it.
 * @module
 */
import type { IpFamily } from "../net/ip_address.ts";

/** The bit of a packet's mark that is ours, unless the settings say another. */
export const DEFAULT_MARK = 0x10000000;

/** Ports from the first to the last. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The protocols that have ports; `both` of them. */
export type PortProtocol = "tcp" | "udp" | "both";

/** A guest's interface, as far as its document tells. */
export interface GuestInterface {
  /** In lower case. */
  readonly mac: string | null;
  /** The name of the libvirt network it is on. */
  readonly network: string | null;
  /** The bridge that it is on, where the document names one. */
  readonly bridge: string | null;
  /** The addresses that libvirt itself gives it. */
  readonly addresses: readonly string[];
}

/** Where a guest lives. */
export interface GuestAddress {
  readonly address: string;
  /** The guest's own network, where libvirt knows it: `192.168.122.0/24`. */
  readonly network: string | null;
  /** Its network has no way out, so guests on it must not see a client's own address: they could not answer. */
  readonly isolated: boolean;
  /** The source of the address: the rule, the guest's document, or its network's reservation or lease for the guest's MAC. */
  readonly source: "rule" | "document" | "reservation" | "lease";
  /** The name of the libvirt network. */
  readonly on: string | null;
  /** The MAC address of the interface that has the address; `null` where the rule gives the address. */
  readonly mac: string | null;
}

/** An address that a network's DHCP server has not given yet. */
export interface AwaitedAddress {
  /** It will be of this family, so that the ports do not change from one family to the other while the guest runs. */
  readonly family: IpFamily;
  /** The names of the libvirt networks that can give it. */
  readonly networks: readonly string[];
  /** Why it cannot be told whether the address was given: for example, the leases cannot be read. */
  readonly problem: string | null;
}

/** Ports of the host, as a forward takes them. */
export interface HostEnd {
  readonly hostPorts: PortRange;
  readonly protocol: PortProtocol;
  /** The host's addresses that are meant; none: all. */
  readonly hostAddresses: readonly string[];
}

/** Which guest is meant, and where it lives. */
export interface GuestEnd {
  /** The guest's address, as the rule gives it. */
  readonly to: string | null;
  /** The libvirt network that the rule names: only interfaces on it are meant. */
  readonly network: string | null;
  /** The guest's interfaces that may be meant. */
  readonly interfaces: readonly GuestInterface[];
  /** The guest's address, once it is known. */
  readonly guest: GuestAddress | null;
  /** What the guest waits for, as long as its address is not known. */
  readonly awaited: AwaitedAddress | null;
}

/** Ports of the host that lead to a guest. */
export interface ForwardDemand extends HostEnd, GuestEnd {
  readonly kind: "forward";
  /**
   * The host's addresses on libvirt's networks, where the ports are among those of the servers that libvirt runs there and no
   * host address is named: the forward leaves these addresses alone.
   */
  readonly sparedAddresses: readonly string[];
  /** The guest's port for the first of the host's; the others follow. */
  readonly guestPort: number;
  /** The networks of clients that may come in; none: all. */
  readonly from: readonly string[];
  /** The bit of a packet's mark by which other filters are told to let it through. */
  readonly mark: number;
}

/** Makes the guests of a network, or one guest, reachable from outside. */
export interface OpenDemand {
  readonly kind: "open";
  /** The network's, or what is routed to its guests; none where one guest is meant. */
  readonly networks: readonly string[];
  /** The one guest. */
  readonly at: GuestEnd | null;
  /** The networks of clients that may come in; none: all. */
  readonly from: readonly string[];
  readonly protocol: PortProtocol;
  /** The ports that may be reached; none: everything. */
  readonly ports: readonly PortRange[];
  readonly mark: number;
}

/** A demand on the host's packet filter. */
export type NftDemand = ForwardDemand | OpenDemand;
