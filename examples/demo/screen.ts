/**
 * What the demo writes on: a terminal with colour and a line that is redrawn, or a plain stream of lines.
 * @module
 */
import { type Paint, painter } from "../../lib/cli/terminal/colour.ts";

/** A place to write lines for people. */
export interface Screen {
  readonly paint: Paint;
  /** Writes a line; none, an empty one. */
  print(line?: string): void;
  /** Writes text behind a prefix, broken at blanks to fit, the rest indented by as much as the prefix is wide. */
  printWrapped(prefix: Prefix, text: string): void;
  /** On a terminal: shows a line that the next one replaces; an empty one clears it. */
  redraw(line: string): void;
}

/** What stands before a wrapped text: its width is that of `text`, whatever colour it has. */
export interface Prefix {
  readonly text: string;
  readonly shown?: string;
}

const WIDTH_MAX = 100;
const WIDTH_MIN = 40;
const CLEAR_LINE = "\r\x1b[K";

/** The screen this program was started from. */
export function openScreen(): Screen {
  const isTerminal = Deno.stdout.isTerminal();
  const paint = painter({ isTerminal, noColor: (Deno.env.get("NO_COLOR") ?? "") !== "" });
  const width = isTerminal ? Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, terminalColumns())) : WIDTH_MAX;
  let isDrawn = false;

  function redraw(line: string): void {
    if (!isTerminal || (line === "" && !isDrawn)) return;
    write(CLEAR_LINE + [...line].slice(0, width - 1).join(""));
    isDrawn = line !== "";
  }

  function print(line = ""): void {
    redraw("");
    write(`${line}\n`);
  }

  function printWrapped({ text: prefix, shown = prefix }: Prefix, text: string): void {
    const words = text.trimStart();
    const blanks = " ".repeat(text.length - words.length);
    const [first = "", ...rest] = wrapped(words, width - prefix.length - blanks.length);
    print(shown + blanks + first);
    for (const line of rest) print(" ".repeat(prefix.length) + blanks + line);
  }

  return { paint, print, printWrapped, redraw };
}

/** Breaks a text at blanks into lines of at most `width` characters; a longer word has a line of its own. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && [...line].length + 1 + [...word].length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    // A terminal that does not tell its size.
    return WIDTH_MAX;
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
  } catch (error) {
    // Nobody reads on, as with `| head`.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}
