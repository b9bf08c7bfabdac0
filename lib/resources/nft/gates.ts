/**
 * What an accept in our own chain cannot do: end a packet's way. Another chain may still reject it, so that one too has to
 * let through what bears our mark, and before all else. A gate is such a chain.
 * @module
 */
import { isObject, type Json } from "./listing.ts";
import type { Table } from "./table.ts";

/** By what our rules in other people's chains are known. */
export const COMMENT = "virt-hooks";

/** A gate as it stands. */
export interface Gate {
  /** Whether it may reject what we let through. */
  readonly rejects: boolean;
  /** The marks that it lets through before all else. */
  readonly first: readonly number[];
  /** Our rules in it, wherever they stand, as deleting wants them. */
  readonly ours: readonly string[];
}

/** No such chain. */
export const NO_GATE: Gate = { rejects: false, first: [], ours: [] };

/** The bits by which the rules of a table mark packets, in order. */
export function marksOf(table: Table | null): readonly number[] {
  const rules = table?.chains.flatMap((chain) => chain.rules) ?? [];
  const marks = rules.flatMap((rule) => /meta mark set meta mark \| (0x[\da-f]+)/.exec(rule)?.[1] ?? []);
  return [...new Set(marks.map(Number))].sort((a, b) => a - b);
}

/** Whether a gate lets through what bears these marks, and holds nothing else of ours. */
export function isOpen({ rejects, first, ours }: Gate, marks: readonly number[]): boolean {
  return !rejects || (JSON.stringify(first) === JSON.stringify(marks) && ours.length === marks.length);
}

/** What `iptables -S FORWARD` says. libvirt's own rules reject, and so does a policy of Docker or ufw. */
export function gateOfIptables(text: string): Gate {
  const lines = text.split("\n");
  const rules = lines.filter((line) => line.startsWith("-A FORWARD "));
  const marks = rules.map(iptablesMark);
  return {
    rejects: lines.includes("-P FORWARD DROP") || rules.some((rule) => /-j (LIBVIRT_FWI|REJECT|DROP)\b/.test(rule)),
    first: leading(marks),
    ours: rules.filter((_, index) => marks[index] !== "other").map((rule) => rule.slice("-A ".length)),
  };
}

/** The mark that a rule of ours lets through; `odd` for one of ours that does something else. */
type MarkRule = number | "odd" | "other";

function iptablesMark(rule: string): MarkRule {
  if (!/--comment "?virt-hooks"?( |$)/.test(rule)) return "other";
  const [, mark, mask] = /^-A FORWARD -m mark --mark (0x[\da-f]+)\/(0x[\da-f]+) -m comment .* -j ACCEPT$/.exec(rule) ??
    [];
  return mark === undefined || mark !== mask ? "odd" : Number(mark);
}

/** What iptables is told to let a mark through: the words behind `-I FORWARD 1` and `-D FORWARD`. */
export function iptablesRule(mark: number): readonly string[] {
  const bit = `0x${mark.toString(16)}`;
  return ["-m", "mark", "--mark", `${bit}/${bit}`, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"];
}

/** What `nft -j list chain … libvirt_network forward` says. */
export function gateOfLibvirtChain(objects: readonly Json[]): Gate {
  const rules = objects.map((object) => object["rule"]).filter(isObject);
  const marks = rules.map(nftMark);
  return {
    rejects: true,
    first: leading(marks),
    ours: rules.filter((_, index) => marks[index] !== "other").map((rule) => String(rule["handle"])),
  };
}

function nftMark({ comment, expr }: Json): MarkRule {
  if (comment !== COMMENT) return "other";
  const [match, ...rest]: readonly unknown[] = Array.isArray(expr) ? expr : [];
  const test = isObject(match) && isObject(match["match"]) ? match["match"] : {};
  const mark = test["right"];
  const isTest = JSON.stringify(test["left"]) === JSON.stringify({ "&": [{ meta: { key: "mark" } }, mark] });
  const end: unknown = rest.at(-1);
  return isTest && typeof mark === "number" && isObject(end) && "accept" in end ? mark : "odd";
}

function leading(marks: readonly MarkRule[]): readonly number[] {
  const end = marks.findIndex((mark) => typeof mark !== "number");
  return marks.slice(0, end === -1 ? undefined : end).filter((mark) => typeof mark === "number");
}

/** What nft is told to insert first in libvirt's chain. */
export function nftRule(mark: number): string {
  const bit = `0x${mark.toString(16).padStart(8, "0")}`;
  return `meta mark & ${bit} == ${bit} counter accept comment "${COMMENT}"`;
}
