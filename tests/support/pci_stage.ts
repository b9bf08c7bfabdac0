/**
 * A host in memory with a graphics card that a rule hands over.
 * @module
 */
import type { Opener } from "../../lib/sys/kernel.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { type LedgerHost, ledgerHost } from "./ledger_host.ts";
import { deviceState, hostdevXml, pciTree, type TreeDevice, type TreeOptions } from "./pci_tree.ts";

/** Addresses of devices. */
export const [GPU, AUDIO, DISK, NIC] = ["0000:01:00.0", "0000:01:00.1", "0000:02:00.0", "0000:03:00.0"] as const;

/** A graphics card with its sound, behind a bridge. */
export const CARD: Readonly<Record<string, TreeDevice>> = {
  [GPU]: { driver: "nvidia", known: ["nouveau", "nvidia"], kind: "030000", nodes: { "char/226:0": "dri/card0" } },
  [AUDIO]: { driver: "snd_hda_intel", kind: "040300", nodes: { "char/116:2": "snd/controlC0" } },
  "0000:00:01.0": { driver: "pcieport", kind: "060400" },
};
/** Another guest that is given the same. */
export const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555", xml: hostdevXml([GPU, AUDIO]) };
/** A guest that is given both functions. */
export const BOTH = { xml: hostdevXml([GPU, AUDIO]) };
/** The card with the guest, and at home. */
export const GIVEN = ["vfio-pci vfio-pci", "vfio-pci vfio-pci"] as const;
export const HOME = ["nvidia (null)", "snd_hda_intel (null)"] as const;

/** A host, and what a test does to it. */
export interface Stage {
  readonly on: LedgerHost;
  /** The state of both functions. */
  readonly now: () => readonly string[];
  /** Who has what open; a test moves it. */
  readonly openers: Opener[];
  /** What programs were sent, in order. */
  readonly signals: string[];
}

/** Makes a host with these devices and one rule with `pci`. */
export function pciStage(
  config = 'devices = "hostdev"',
  options: TreeOptions & { readonly devices?: typeof CARD; readonly actions?: string; readonly deaf?: boolean } = {},
): Stage {
  const { devices = CARD, actions = "", deaf = false } = options;
  const openers: Opener[] = [...options.openers ?? []];
  const signals: string[] = [];
  const kill = ({ argv: [, signal = "", ...pids] }: { readonly argv: readonly string[] }): Record<never, never> => {
    signals.push(`${signal} ${pids.join(" ")}`);
    const isHeard = signal === "-KILL" || !deaf;
    const left = openers.filter(({ pid }) => !isHeard || !pids.includes(String(pid)));
    openers.splice(0, openers.length, ...left);
    return {};
  };
  const rules = `[[rule]]\nname = "gaming"\nwhen = { domain = "*" }\npci = { ${config} }\n${actions}`;
  const programs = { [TOOLS.kill]: kill, ...options.programs };
  const on = ledgerHost(rules, { ...pciTree(devices, { ...options, programs }), openers });
  return { on, openers, signals, now: () => [GPU, AUDIO].map((address) => deviceState(address, on)) };
}
