/**
 * Ports in rules: `8080`, or `"8000-8010"`.
 * @module
 */
import * as v from "valibot";
import type { PortProtocol, PortRange } from "../plan/nft_demand.ts";

const PORT_MAX = 65_535;
const EXPECTED = 'a port from 1 to 65535, or several such as "8000-8010"';

/** Schema of a port or a range. */
export function portsSchema(): v.GenericSchema<unknown, PortRange> {
  return v.pipe(
    v.union([v.number(EXPECTED), v.string(EXPECTED)], EXPECTED),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const range = parsePorts(dataset.value);
      if (range !== undefined) return range;
      addIssue({ message: EXPECTED });
      return NEVER;
    }),
  );
}

function parsePorts(given: number | string): PortRange | undefined {
  const [, start, end = start] = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(String(given)) ?? [];
  const range = { first: Number(start), last: Number(end) };
  return range.first <= range.last && range.last <= PORT_MAX ? range : undefined;
}

/** Schema of `tcp`, `udp` or `both`. */
export function protocolSchema(): v.GenericSchema<unknown, PortProtocol> {
  return v.picklist(["tcp", "udp", "both"], '"tcp", "udp" or "both"');
}

/** Describes ports: `port 80 (tcp)`, `ports 80-90 (tcp and udp)`. */
export function describePorts({ first, last }: PortRange, protocol: PortProtocol): string {
  const kind = protocol === "both" ? "tcp and udp" : protocol;
  return first === last ? `port ${first} (${kind})` : `ports ${first}-${last} (${kind})`;
}
