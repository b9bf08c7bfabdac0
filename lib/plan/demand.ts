/**
 * What a holder can need of the host, as data: the vocabulary that actions write, the ledger keeps and resources fulfil.
 * @module
 */
import type { Lifetime } from "../libvirt/driver.ts";
import type { IpFamily } from "../net/ip_address.ts";
import type { NftDemand } from "./nft_demand.ts";
import type { ProgramWords } from "../trust/program_words.ts";

/** How long a demand lasts. */
export type { Lifetime };

/** Huge pages of one size. */
export interface HugepagesDemand {
  /** In KiB; `"default"` for the host's default size. */
  readonly sizeKib: number | "default";
  readonly parts: readonly HugepagesPart[];
}

/** Huge pages that come from the same nodes of the host. */
export interface HugepagesPart {
  /** Spread over these nodes; over all where none is named. Once the host was asked, it is one at most. */
  readonly nodes: readonly number[];
  /** So many pages; or pages for so much memory, rounded up. */
  readonly amount:
    | { readonly unit: "pages"; readonly pages: number }
    | { readonly unit: "memory"; readonly bytes: number };
}

/** One key below `/proc/sys`. */
export interface SysctlDemand {
  /** With slashes, as the kernel has it: `net/ipv4/ip_forward`. */
  readonly name: string;
  readonly value: string;
}

/** A kernel module. */
export interface ModuleDemand {
  readonly name: string;
  readonly state: "loaded" | "unloaded";
}

/** A unit of systemd. */
export interface ServiceDemand {
  /** With its suffix: `display-manager.service`. */
  readonly unit: string;
  readonly state: "active" | "inactive";
}

/** CPUs that the host's own programs keep off. */
export interface CpusDemand {
  readonly cpus: readonly number[];
}

/** The frequency governor of one CPU. */
export interface GovernorDemand {
  readonly cpu: number;
  readonly governor: string;
}

/** A PCI device, handed to a driver. */
export interface PciDemand {
  /** `0000:01:00.0` */
  readonly address: string;
  readonly driver: string;
  /** How other users of the device are treated. */
  readonly holders: "fail" | "wait" | "stop";
  /** So long they have to go. */
  readonly timeoutMs: number;
  /** libvirt itself takes the device from the host and gives it back. */
  readonly managed: boolean;
  /** The UUID of the guest: a device goes to one at a time. */
  readonly guest: string;
  /** All devices of the action: none may be in use before the first is changed. */
  readonly together: readonly string[];
}

/** Text consoles that show on PCI devices, and the firmware's framebuffers there: switched off. */
export interface ConsoleDemand {
  readonly devices: readonly string[];
  /** Once the host was asked: which framebuffers show on them, and whether terminals do. */
  readonly framebuffers: readonly string[];
  readonly terminals: boolean;
}

/** A route in one of the host's tables. */
export interface RouteDemand {
  readonly family: IpFamily;
  /** `192.0.2.0/24` */
  readonly to: string;
  /** The next hop. */
  readonly via: string | undefined;
  /** The device; found by the next hop where it is not given. */
  readonly dev: string | undefined;
  /** The next hop is on the device's link, whatever the device's addresses say. */
  readonly onlink: boolean;
  readonly metric: number | undefined;
  /** By number or name: `main`. */
  readonly table: string;
}

/** A port of a bridge that sends back where it came from. */
export interface HairpinDemand {
  /** The host's end of a guest's interface: `vnet0`. */
  readonly dev: string;
}

/** An address of the host on one of its devices. */
export interface AddressDemand {
  readonly dev: string;
  /** `192.0.2.1/24` */
  readonly address: string;
}

/** Where names of a domain are asked for. */
export interface DnsDemand {
  readonly dev: string;
  readonly domain: string;
  /** The server's address. */
  readonly server: string;
}

/** A program that is run once, and one that undoes it. */
export interface CommandDemand extends ProgramWords {
  readonly undo: ProgramWords["argv"] | undefined;
  readonly undoFilled: ProgramWords["filled"];
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number | undefined;
  /** Set where an undo that fails is noted and forgotten. */
  readonly undoError?: "continue" | undefined;
}

/** A program that lives while the holder lives. */
export interface ProcessDemand extends ProgramWords {
  readonly environment: Readonly<Record<string, string>>;
}

/** Demands by the kind of resource that fulfils them. */
export interface Demands {
  readonly module: ModuleDemand;
  readonly service: ServiceDemand;
  readonly sysctl: SysctlDemand;
  readonly cpus: CpusDemand;
  readonly governor: GovernorDemand;
  readonly hugepages: HugepagesDemand;
  readonly console: ConsoleDemand;
  readonly pci: PciDemand;
  readonly nft: NftDemand;
  readonly hairpin: HairpinDemand;
  readonly address: AddressDemand;
  readonly route: RouteDemand;
  readonly dns: DnsDemand;
  readonly process: ProcessDemand;
  readonly command: CommandDemand;
}

/** The kinds of resources. */
export type ResourceName = keyof Demands;

/**
 * The order in which kinds are acquired; they are released in reverse. What others need comes first: a service that is
 * stopped and a console that is off let a module go, a module is there before the device it drives.
 */
export const RESOURCE_ORDER = {
  service: 0,
  console: 1,
  module: 2,
  sysctl: 3,
  cpus: 4,
  governor: 5,
  hugepages: 6,
  pci: 7,
  nft: 8,
  hairpin: 9,
  address: 10,
  route: 11,
  dns: 12,
  process: 13,
  command: 14,
} as const satisfies Record<ResourceName, number>;

/** A demand with the kind of resource it is for. */
export type AnyDemand = {
  readonly [Name in ResourceName]: { readonly resource: Name; readonly demand: Demands[Name] };
}[ResourceName];
