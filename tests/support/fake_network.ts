/**
 * `ip` and `resolvectl` of a host in memory, as far as the product calls them.
 * @module
 */
import type { MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";

/** What is set on the host. */
export interface FakeNetwork {
  readonly programs: Readonly<Record<string, MemoryProgram>>;
  /** `ADDRESS dev DEVICE`, in order. */
  readonly addresses: Set<string>;
  /** Destination and attributes, as `ip route replace` was given them. */
  readonly routes: Map<string, readonly string[]>;
  readonly dns: { servers: readonly string[]; domains: readonly string[] };
}

/** Makes a host's network; every device is there. */
export function fakeNetwork(): FakeNetwork {
  const addresses = new Set<string>();
  const routes = new Map<string, readonly string[]>();
  const dns: FakeNetwork["dns"] = { servers: [], domains: [] };
  const network = { addresses, routes, dns };
  return {
    ...network,
    programs: {
      [TOOLS.ip]: ({ argv: [, ...words] }) => {
        const [object = "", verb = "", ...rest] = words.filter((word) => !word.startsWith("-"));
        return { stdout: ip(`${object} ${verb}`, rest, network) };
      },
      [TOOLS.resolvectl]: ({ argv: [, what = "", dev = "", ...values] }) => ({
        stdout: resolvectl(what, dev, values, dns),
      }),
    },
  };
}

function ip(command: string, rest: readonly string[], { addresses, routes }: Omit<FakeNetwork, "programs">): string {
  const [first = "", ...others] = rest;
  switch (command) {
    case "address show":
      return JSON.stringify([{ addr_info: [...addresses].filter((each) => each.endsWith(` ${others[0]}`)).map(row) }]);
    case "address add":
      addresses.add([first, ...others].join(" "));
      return "";
    case "address del":
      addresses.delete([first, ...others].join(" "));
      return "";
    case "link show":
      return "[{}]";
    case "route show":
      return JSON.stringify(routes.has(others[0] ?? "") ? [routeRow(others[0] ?? "", routes)] : []);
    case "route replace":
      routes.set(first, others);
      return "";
    case "route del":
      routes.delete(first);
      return "";
    default:
      throw new Error(`Cannot play ip ${command}`);
  }
}

function row(text: string): { readonly local: string; readonly prefixlen: number } {
  const [, local = "", length] = /^([^/]*)\/(\d+) /.exec(text) ?? [];
  return { local, prefixlen: Number(length) };
}

function routeRow(to: string, routes: FakeNetwork["routes"]): Readonly<Record<string, unknown>> {
  const words = routes.get(to) ?? [];
  const after = (word: string): string | undefined => words[words.indexOf(word) + 1];
  return { dst: to, dev: after("dev"), protocol: after("proto"), scope: after("scope"), flags: [] };
}

function resolvectl(what: string, dev: string, values: readonly string[], dns: FakeNetwork["dns"]): string {
  const field = what === "dns" ? "servers" : "domains";
  if (values.length > 0) dns[field] = values.filter((value) => value !== "");
  return `Link 3 (${dev}): ${dns[field].join(" ")}\n`;
}
