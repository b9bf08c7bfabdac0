/**
 * Forwards for a person: a table where it fits, the same as sentences where it does not.
 * @module
 */
import { visible } from "../../text/quote.ts";
import { describeSource } from "../../resources/nft/text.ts";
import type { Tone } from "./colour.ts";
import type { CliContext } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import type { ForwardReport } from "../report/forward.ts";
import { padded, widthsOf } from "./table.ts";
import { lengthOf, wrapped } from "./wrap.ts";

/** A forward with the line that names its holder. */
export interface ForwardEntry {
  readonly forward: ForwardReport;
  readonly line: string;
}

const TONES = {
  active: "green",
  pending: "cyan",
  unplugged: "red",
  outranked: "yellow",
  drift: "yellow",
  unknown: "yellow",
} as const satisfies Record<ForwardReport["state"], Tone>;

const HEADER = ["HOST", "GUEST", "FORWARD", "PACKETS", "BYTES", "NEW"] as const;
/** The columns from here on are numbers. */
const FIRST_NUMBER = 3;
/** Less than the other lines of a resource, so that a row fits 80 columns. */
const INDENT = 2;
/** Formats the holder of a forward, for the line below it. */
export const DETAIL_INDENT = INDENT + 2;

type FormatContext = Pick<CliContext, "paint" | "terminal">;

/** The forwards of a resource, by their ports. */
export function forwardLines(entries: readonly ForwardEntry[], { paint, terminal }: FormatContext): readonly string[] {
  if (entries.length === 0) return [];
  const sorted = entries.toSorted((a, b) => parseInt(a.forward.ports) - parseInt(b.forward.ports));
  const rows = [HEADER, ...sorted.map(({ forward }) => cellsOf(forward))];
  const widths = widthsOf(rows);
  const [header, ...table] = rows.map((cells) => " ".repeat(INDENT) + padded(aligned(cells, widths), widths));
  const fits = [header, ...table].every((line) => lengthOf(line ?? "") <= terminal.columns);
  return [
    ...(fits ? [paint("dim", header ?? "")] : []),
    ...sorted.flatMap((entry, index) => entryLines(entry, fits ? table[index] : undefined, { paint, terminal })),
  ];
}

function aligned(cells: readonly string[], widths: readonly number[]): readonly string[] {
  return cells.map((cell, column) => column < FIRST_NUMBER ? cell : cell.padStart(widths[column] ?? 0));
}

function entryLines({ forward, line }: ForwardEntry, row: string | undefined, paper: FormatContext): readonly string[] {
  const { paint, terminal: { columns } } = paper;
  const { state, because } = forward;
  const said = row ?? wrapped(sentence(forward), { columns, indent: INDENT });
  // The reason why a guest is on no bridge is printed once for all its forwards.
  const isTold = because === null || state === "pending" || state === "unplugged";
  return [
    // Painted last, since colour has no width.
    said.replace(state, paint(TONES[state], state)),
    ...(isTold ? [] : [paint(TONES[state], wrapped(visible(because), { columns, indent: DETAIL_INDENT }))]),
    line,
  ];
}

/** The clients it is for, and the source of the guest's address or what it waits for. */
export function sourceText({ from, guest: { source, network }, state, because }: ForwardReport): string {
  const only = from.length === 0 ? "" : `only from ${from.join(", ")}; `;
  if (source !== null) return `${only}${describeSource({ source, on: network })}`;
  return `${only}${state === "pending" ? because ?? "" : "no address yet"}`;
}

function cellsOf(forward: ForwardReport): readonly string[] {
  const { state, packets, bytes, connections } = forward;
  return [hostText(forward), guestText(forward), state, ...[packets, bytes, connections].map(amountText)];
}

function sentence(forward: ForwardReport): string {
  const { state, packets, bytes, connections } = forward;
  const way = `${hostText(forward)} → ${guestText(forward)}: ${state}`;
  if (packets === null || bytes === null || connections === null) return way;
  return `${way}, ${formatCount(packets, "packet")}, ${formatCount(bytes, "byte")}, ${
    formatCount(connections, "connection")
  }`;
}

/** `*:8080/tcp`, `192.0.2.1,[2001:db8::1]:53/tcp+udp` */
function hostText({ addresses, ports, protocol }: ForwardReport): string {
  const where = addresses.length === 0 ? "*" : addresses.map(bracketed).join(",");
  return `${where}:${ports}/${protocol === "both" ? "tcp+udp" : protocol}`;
}

function guestText({ guest: { address, ports } }: ForwardReport): string {
  return `${address === null ? "?" : bracketed(address)}:${ports}`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

const UNITS = ["", "k", "M", "G", "T", "P"] as const;

/** A count in five characters at the most: `9999`, `12.3k`, `456k`, `1.2M`. */
export function amountText(amount: number | null): string {
  if (amount === null) return "-";
  if (amount < 10_000) return String(amount);
  const power = Math.min(Math.floor(Math.log10(amount) / 3), UNITS.length - 1);
  const value = amount / 1000 ** power;
  // Cut, not rounded: 999.9k does not become 1000k.
  return `${value < 100 ? Math.floor(value * 10) / 10 : Math.floor(value)}${UNITS[power]}`;
}
