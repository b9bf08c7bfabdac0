/**
 * `virt-hooks history`: what the hooks were asked and did.
 * @module
 */
import { logProblem } from "../../app/history.ts";
import { HISTORY_FILE } from "../../app/product.ts";
import { visible, visibleJson } from "../../text/quote.ts";
import { matchGlob } from "../../rules/glob.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import type { Tone } from "../terminal/colour.ts";
import { type Concerned, concernedBy, type Detail, historyDetails } from "../terminal/format_history.ts";
import { needRoot } from "../need_root.ts";

/** The subcommand. */
export const history: Subcommand = {
  name: "history",
  summary: "Show the hook calls, and the commands that changed something",
  description: [`Reads ${HISTORY_FILE}.1 and ${HISTORY_FILE}, oldest first.`],
  args: [],
  options: [
    {
      name: "object",
      value: "GLOB",
      description: "Only what concerns a guest or network; also finds calls and commands that changed something for it",
    },
    { name: "port", value: "N", description: "Only what opened or closed a port of this host" },
    { name: "json", description: "Print the lines as JSON" },
    { name: "follow", description: "Continue as calls come in, until interrupted" },
  ],
  exitCodes: [{ code: 1, meaning: "The history cannot be read" }],
  examples: [
    { command: "virt-hooks history --object web-1", description: "What was done for web-1?" },
    { command: "virt-hooks history --port 8080", description: "Why is port 8080 open, or closed?" },
  ],
  run,
};

function quoted(text: string): string {
  return JSON.stringify(text);
}

const POLL_MS = 300;

async function run(args: Args, context: CliContext): Promise<number> {
  needPort(args.options["port"]);
  needRoot("read the history", "history", context);
  needTrusted(context);
  showLines(readWhole(`${HISTORY_FILE}.1`, context).text, args, context);
  let { text, endBytes } = readWhole(HISTORY_FILE, context);
  showLines(text, args, context);
  if (text === "" && !args.flags.has("follow")) {
    context.sys.writeStderr("The history is empty: no hook was called yet\n");
  }
  while (args.flags.has("follow")) {
    await context.terminal.sleep(POLL_MS);
    const sizeBytes = context.sys.lstat(HISTORY_FILE)?.sizeBytes ?? 0;
    // A smaller file is a new one: the old one was rotated away.
    ({ text, endBytes } = readFrom(HISTORY_FILE, sizeBytes < endBytes ? 0 : endBytes, context));
    showLines(text, args, context);
  }
  return 0;
}

/** @throws {CommandError} where the hooks find the log such that they do not write to it */
function needTrusted(context: CliContext): void {
  const problem = logProblem(context.sys);
  if (problem === undefined) return;
  const hint = "the hooks write no history until that is repaired";
  throw new CommandError(`Cannot read the history: ${problem}`, { hint });
}

interface Chunk {
  readonly text: string;
  /** Where the next chunk begins. */
  readonly endBytes: number;
}

function readWhole(path: string, context: CliContext): Chunk {
  return context.sys.lstat(path)?.kind === "file" ? readFrom(path, 0, context) : { text: "", endBytes: 0 };
}

/** Whole lines only: the last one may still be being written. */
function readFrom(path: string, offsetBytes: number, context: CliContext): Chunk {
  if (context.sys.lstat(path)?.kind !== "file") return { text: "", endBytes: 0 };
  const text = context.terminal.readTail(path, offsetBytes);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return { text: whole, endBytes: offsetBytes + new TextEncoder().encode(whole).length };
}

function showLines(text: string, args: Args, context: CliContext): void {
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const entry = parseEntry(line);
    if (!isMeant(entry, args)) continue;
    const asJson = args.flags.has("json") && entry !== undefined;
    // A line that is no JSON may hold anything.
    context.print(asJson ? visibleJson(line) : entry === undefined ? visible(line) : shown(entry, context));
  }
}

/** A line that is no entry is shown where nothing is looked for. */
function isMeant(entry: ShownEntry | undefined, { options: texts }: Args): boolean {
  const { object: glob, port } = texts;
  if (glob === undefined && port === undefined) return true;
  if (entry === undefined) return false;
  const { names, ports } = entry.concerned;
  return (glob === undefined || [entry.object, ...names].some((name) => matchGlob(glob, name))) &&
    (port === undefined || ports.some((range) => holdsPort(range, Number(port))));
}

/** `8080` or `8000-8010` */
function holdsPort(range: string, port: number): boolean {
  const [first = NaN, last = first] = range.split("-").map(Number);
  return first <= port && port <= last;
}

/** @throws {CommandError} for what is no port */
function needPort(port: string | undefined): void {
  if (port === undefined || /^\d{1,5}$/.test(port)) return;
  const hint = "usage: virt-hooks history --port N";
  throw new CommandError(`Cannot read --port: "${port}" is not the number of a port`, { hint, code: USAGE_CODE });
}

interface ShownEntry {
  readonly datetime: string;
  readonly level: string;
  readonly message: string;
  readonly object: string;
  readonly durationMs: number;
  readonly rules: readonly string[];
  readonly details: readonly Detail[];
  readonly concerned: Concerned;
  /** Those that it names beside its object. */
  readonly guests: readonly string[];
  /** `libvirtd (812)` */
  readonly daemon: string | undefined;
}

/** Reads a line that any version may have written; `undefined` when it is no entry. */
function parseEntry(line: string): ShownEntry | undefined {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    // A line that was cut off: shown as it is.
    return undefined;
  }
  if (typeof data !== "object" || data === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(data));
  const text = (key: string): string => String(fields.get(key) ?? "");
  const rules = fields.get("rules");
  const guests = fields.get("guests");
  return {
    datetime: text("datetime"),
    level: text("level"),
    message: text("message"),
    object: text("object"),
    durationMs: Number(fields.get("durationMs") ?? 0),
    rules: Array.isArray(rules) ? rules.map((rule: unknown) => nameOf(rule)) : [],
    details: historyDetails(fields),
    concerned: concernedBy(fields),
    guests: Array.isArray(guests) ? guests.map(String) : [],
    daemon: daemonText(fields.get("daemon")),
  };
}

function nameOf(rule: unknown): string {
  return typeof rule === "object" && rule !== null && "name" in rule ? String(rule.name) : "";
}

function daemonText(daemon: unknown): string | undefined {
  if (typeof daemon !== "object" || daemon === null || !("pid" in daemon)) return undefined;
  return "name" in daemon ? `${daemon.name} (${daemon.pid})` : undefined;
}

const TONES: Readonly<Record<string, Tone>> = { INFO: "green", WARN: "yellow", ERROR: "red", CRITICAL: "red" };

function shown(entry: ShownEntry, context: CliContext): string {
  const when = entry.datetime.replace("T", " ").replace(/\.\d+Z$/, "Z");
  const level = context.paint(TONES[entry.level] ?? "bold", entry.level.padEnd(8));
  const rules = entry.rules.length === 0 ? "" : `, rules ${entry.rules.map(quoted).join(", ")}`;
  const caller = entry.daemon === undefined ? "" : `, called by ${entry.daemon}`;
  const guests = entry.guests.length === 0 ? "" : `, guests ${entry.guests.map(quoted).join(", ")}`;
  const duration = context.paint("dim", visible(`(${entry.durationMs} ms${caller}${guests}${rules})`));
  return [
    `${context.paint("dim", when)}  ${level}  ${visible(entry.message)}  ${duration}`,
    ...entry.details.map(({ text, isBad }) => `    ${isBad ? context.paint("yellow", text) : text}`),
  ].join("\n");
}
