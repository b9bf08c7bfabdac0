/**
 * The status report for a person: a table where it fits, the same beneath each other where it does not.
 * @module
 */
import { visible } from "../../text/quote.ts";
import type { Tone } from "./colour.ts";
import type { CliContext } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import { DETAIL_INDENT, type ForwardEntry, forwardLines, sourceText } from "./format_forward.ts";
import { shortKey } from "./format_holder.ts";
import { differingText, DISABLED_TEXT, SHOW_DIFFERENCE, unknownText } from "../report/judgement.ts";
import type { HolderReport, ResourceReport, ResourceState, StatusReport } from "../report/status.ts";
import { GAP, padded, widthsOf } from "./table.ts";
import { lengthOf, wrapped } from "./wrap.ts";

type StatusFormatContext = Pick<CliContext, "paint" | "terminal">;

/** How a state is written and set off. */
const STATES = {
  ok: { word: "ok", tone: "green" },
  stale: { word: "stale", tone: "yellow" },
  pending: { word: "pending", tone: "yellow" },
  drift: { word: "drift", tone: "yellow" },
  stuck: { word: "STUCK", tone: "red" },
} as const satisfies Record<ResourceState, { readonly word: string; readonly tone: Tone }>;

/** The first is as wide as the longest state, so that resources begin beneath each other, in the table or not. */
const HEADER = ["STATE  ", "RESOURCE", "NOW", "WANTED", "BEFORE"] as const;
/** A wider value is printed below its resource, not in the table. */
const WIDEST: readonly number[] = [7, 48, 12, 12, 12];
/** Under the name of the resource. */
const INDENT = 9;

/** The report, line by line. */
export function statusLines(report: StatusReport, paper: StatusFormatContext): readonly string[] {
  return [...hookLines(report, paper), ...resourceLines(report.resources, paper), ...endLines(report, paper)];
}

/** What matters more than anything that is held: whether the hooks work, and for which guests the rules are not in force. */
function hookLines(
  { disabled, rules, guests }: StatusReport,
  { paint, terminal }: StatusFormatContext,
): readonly string[] {
  const room = { columns: terminal.columns, indent: 0 };
  return [
    ...(disabled ? [paint("red", wrapped(capital(DISABLED_TEXT), room))] : []),
    ...(rules.first === null ? [] : [
      paint("red", wrapped(`${RULES_TEXT[rules.state](rules.problems)}: virt-hooks check`, room)),
      paint("red", wrapped(rules.first, { ...room, indent: 2 })),
    ]),
    ...guestLines(guests).map((text) => paint("yellow", wrapped(text, room))),
  ];
}

const RULES_TEXT = {
  ok: () => "",
  none: () => "",
  broken: (count) => `The rules are broken (${formatCount(count, "mistake")}), so nothing new starts`,
  "refused-program": (count) => `${formatCount(count, "program")} that rules name will not be run`,
} as const satisfies Record<StatusReport["rules"]["state"], (count: number) => string>;

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function guestLines(guests: StatusReport["guests"]): readonly string[] {
  if (guests === null) return [];
  return [
    ...(guests.differing.length === 0 ? [] : [`${differingText(guests.differing)}: ${SHOW_DIFFERENCE}`]),
    ...(guests.unknown.length === 0 ? [] : [unknownText(guests.unknown)]),
  ];
}

/** The cells of a resource's row; an unknown value is a dash. */
type Cells = readonly [state: string, key: string, actual: string, wanted: string, original: string];

function cellsOf({ key, state, actual, wanted, original, holders }: ResourceReport): Cells {
  const cell = (value: string | null): string => value === null ? "-" : visible(value);
  // The holders are printed below the resource, if it has any.
  const name = holders.length === 0 ? visible(key) : shortKey(key);
  return [STATES[state].word, name, cell(actual), cell(wanted), cell(original)];
}

function resourceLines(resources: readonly ResourceReport[], paper: StatusFormatContext): readonly string[] {
  const short = resources.filter((resource) =>
    cellsOf(resource).every((cell, at) => lengthOf(cell) <= (WIDEST[at] ?? 0))
  );
  const rows = [HEADER, ...short.map(cellsOf)];
  const widths = widthsOf(rows);
  const total = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length);
  const inTable = new Set(total <= paper.terminal.columns ? short : []);
  return [
    ...(inTable.size > 0 ? [paper.paint("dim", padded(HEADER, widths))] : []),
    ...resources.flatMap((resource) => [
      ...(inTable.has(resource) ? [tableRow(resource, widths, paper)] : stacked(resource, paper)),
      ...detailLines(resource, paper),
    ]),
  ];
}

function tableRow(resource: ResourceReport, widths: readonly number[], { paint }: StatusFormatContext): string {
  const [word, ...rest] = cellsOf(resource);
  const [first = 0, ...others] = widths;
  return `${paint(STATES[resource.state].tone, word.padEnd(first))}${GAP}${paint("bold", padded(rest, others))}`;
}

/** For values that are too long for a table. */
function stacked(resource: ResourceReport, { paint, terminal }: StatusFormatContext): readonly string[] {
  const [word, key, actual, wanted, original] = cellsOf(resource);
  // Another value may read the same: then the reason beneath says what differs.
  const asWanted = resource.state === "drift" ? "" : ", as wanted";
  const said = wanted === actual
    ? [`now: ${actual}${asWanted}; before: ${original}`]
    : [`now: ${actual}`, `wanted: ${wanted}`, `before: ${original}`];
  return [
    `${paint(STATES[resource.state].tone, word.padEnd(INDENT - GAP.length))}${GAP}${paint("bold", key)}`,
    ...said.map((text) => wrapped(text, { columns: terminal.columns, indent: INDENT })),
  ];
}

function detailLines(
  { state, reasons, remarks, holders }: ResourceReport,
  { paint, terminal }: StatusFormatContext,
): readonly string[] {
  const room = { columns: terminal.columns, indent: INDENT };
  const said = reasons.filter((reason) => reason.state !== "stale").map(({ text }) => text);
  return [
    ...said.map((text) => paint(STATES[state].tone, wrapped(visible(text), room))),
    ...remarks.map((text) => wrapped(visible(text), room)),
    ...holders.filter(({ forward }) => forward === undefined).map((holder) => holderLine(holder, { paint, terminal })),
    ...forwardLines(holders.flatMap((holder) => entryOf(holder, { paint, terminal })), { paint, terminal }),
  ];
}

const LIVES = {
  alive: undefined,
  starting: { word: "starting", tone: "cyan" },
  stale: { word: "STALE", tone: "yellow" },
  dead: { word: "GONE", tone: "yellow" },
  unknown: { word: "may exist", tone: "cyan" },
} as const satisfies Record<HolderReport["life"], { readonly word: string; readonly tone: Tone } | undefined>;

function entryOf(holder: HolderReport, paper: StatusFormatContext): readonly ForwardEntry[] {
  const { forward } = holder;
  if (forward === undefined) return [];
  const line = holderLine({ ...holder, wants: sourceText(forward) }, paper, DETAIL_INDENT);
  return [{ forward, line }];
}

function holderLine(holder: HolderReport, { paint, terminal }: StatusFormatContext, indent = INDENT): string {
  const room = { columns: terminal.columns, indent };
  const since = holder.since.replace("T", " ").replace(/\.\d+Z$/, "Z");
  const life = LIVES[holder.life];
  const word = life === undefined ? "" : `, ${life.word}`;
  const wants = holder.wants === undefined ? "" : `: ${visible(holder.wants)}`;
  const whose = `${nameOf(holder)}, rule ${JSON.stringify(visible(holder.rule))}${wants}`;
  const line = wrapped(`${whose}, since ${since}${word}`, room);
  // Painted last, since colour has no width.
  return life === undefined ? line : line.replace(new RegExp(`${life.word}$`), paint(life.tone, life.word));
}

function nameOf({ kind, name, driver }: HolderReport): string {
  const text = JSON.stringify(visible(name));
  switch (kind) {
    case "domain":
      return `guest ${text} (${visible(driver ?? "")})`;
    case "network":
      return `network ${text}`;
    case "port":
      return `a port of network ${text}`;
    default:
      return kind satisfies never;
  }
}

const UNREAD = "What such a file holds is not restored by itself. Damaged: look at it, then remove it. " +
  "Of another version: leave it there, and have that version back";

function endLines(report: StatusReport, { paint, terminal }: StatusFormatContext): readonly string[] {
  const { resources, damaged, ledger } = report;
  const room = { columns: terminal.columns, indent: 0 };
  const notes = [
    ...(ledger === "of-another-boot"
      ? ["The ledger is of another boot and counts for nothing; the next hook call sets it aside"]
      : []),
    ...damaged.map((text) => `damaged: ${visible(text)}`),
    ...(damaged.length === 0 ? [] : [UNREAD]),
  ];
  return [
    ...notes.map((text) => paint("yellow", wrapped(text, room))),
    ...(resources.length === 0
      ? [`Nothing ${damaged.length === 0 ? "" : "else "}is held`]
      : [paint("bold", summary(report))]),
    ...lifeLines(resources, { paint, terminal }),
    ...adviceLines(resources).map((text) => wrapped(text, room)),
  ];
}

function summary({ resources, ok }: StatusReport): string {
  const holders = new Set(resources.flatMap((resource) => resource.holders.map(({ id }) => id))).size;
  const bad = Object.entries(STATES).flatMap(([state, { word }]) => {
    const count = resources.filter((resource) => resource.state === state && state !== "ok").length;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  const base = `${formatCount(resources.length, "resource")}, ${formatCount(holders, "holder")}`;
  const good = ok ? "all ok" : "all as their holders need them";
  const unverified = resources.filter(({ state, verified }) => state === "ok" && verified === false).length;
  if (unverified === 0) return `${base}: ${bad.length === 0 ? good : bad.join(", ")}`;
  return `${base}: ${[...bad, `${unverified} not verified`].join(", ")}${
    bad.length === 0 && ok ? ", the rest is well" : ""
  }`;
}

/** Each holder that does not surely live, once, with why and what to do. */
function lifeLines(resources: readonly ResourceReport[], { paint, terminal }: StatusFormatContext): readonly string[] {
  const holders = new Map(
    resources.flatMap((resource) => resource.holders.map((holder) => [holder.id, holder] as const)),
  );
  return [...holders.values()].flatMap((holder) => {
    const life = LIVES[holder.life];
    if (life === undefined) return [];
    const text = `${nameOf(holder)} ${life.word}: ${visible(holder.because ?? "")}`;
    const line = paint(life.tone, wrapped(text, { columns: terminal.columns, indent: 0 }));
    if (holder.life !== "stale") return [line];
    return [line, `  if you know that it is gone: virt-hooks release ${visible(holder.id)}`];
  });
}

/** What to do about it; what `reconcile` does not cure says so itself. */
function adviceLines(resources: readonly ResourceReport[]): readonly string[] {
  const off = resources.flatMap(({ reasons }) => reasons).filter(({ state }) => state !== "stale");
  const isDead = resources.some(({ holders }) => holders.some(({ life }) => life === "dead"));
  if (isDead || off.some(({ curable }) => curable !== false)) {
    return ['"virt-hooks reconcile" releases what is gone and tries again; --dry-run only tells'];
  }
  return off.length === 0 ? [] : ['"virt-hooks reconcile" cannot cure this: do what the lines above say'];
}
