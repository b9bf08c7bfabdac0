/**
 * Compares a quoted block of the documentation with the golden stories whose files it names.
 *
 * A block of rules equals its file. A block of commands has, for each command that prints something, one file: the expected
 * output of that command in its story, which the golden tests compare with what the compiled programs print.
 * @module
 */
import { sampleText } from "../../build/docs/sample_text.ts";
import { matchesText } from "../../lib/story/placeholders.ts";
import type { Story } from "../../lib/story/story.ts";
import type { Block } from "./pages.ts";

const PROMPT = /^[\w-]*[#$] /;
/** A line of its own: any number of lines is left out. At the end of a line: the rest of the line is left out. */
const LEFT_OUT = "…";

/** What a quote is compared with. */
export interface Sources {
  /** Reads a file below `tests/golden/`. */
  readonly read: (file: string) => string;
  readonly stories: readonly Story[];
}

/** A command of a block and the lines printed below it. */
interface Quoted {
  readonly command: string;
  readonly output: readonly string[];
}

/** Returns why the block is not what its files say, or `undefined` if it is. */
export function mismatch(block: Block, sources: Sources): string | undefined {
  const [file = ""] = block.files;
  if (block.language !== "console") {
    return block.text === sources.read(file) ? undefined : `it is not ${file}`;
  }
  const quotes = quotesIn(block.text).filter(({ output }) => output.length > 0);
  if (quotes.length !== block.files.length) {
    return `it shows the output of ${quotes.length} commands and names ${block.files.length} files`;
  }
  for (const [index, quote] of quotes.entries()) {
    const name = block.files[index] ?? "";
    if (!isCallOf(quote.command, name, sources.stories)) {
      return `no call of its story with ${name} is "${quote.command}"`;
    }
    if (!matchesQuote(quote, sources.read(name))) return `the output of "${quote.command}" is not ${name}`;
  }
  return undefined;
}

/** Returns the block's text with every output taken anew from its files, or `undefined` where lines are left out. */
export function renewed(block: Block, { read }: Sources): string | undefined {
  if (block.language !== "console") return read(block.files[0] ?? "");
  const names = block.files.values();
  const parts: string[] = [];
  for (const { command, output } of quotesIn(block.text)) {
    if ((isVirsh(command) && output.length > 0) || output.some(leavesOut)) return undefined;
    parts.push(`${command}\n`, output.length === 0 ? "" : sampleText(read(names.next().value ?? "")));
  }
  return parts.join("");
}

function quotesIn(text: string): readonly Quoted[] {
  const quotes: { command: string; output: string[] }[] = [];
  for (const line of text.trimEnd().split("\n")) {
    if (PROMPT.test(line)) quotes.push({ command: line, output: [] });
    else quotes.at(-1)?.output.push(line);
  }
  return quotes;
}

function isVirsh(command: string): boolean {
  return / virsh (start|migrate) /.test(command);
}

/** Whether the story runs this command, apart from its `--rules DIR`. For `virsh` it is the hook's stderr. */
function isCallOf(command: string, file: string, stories: readonly Story[]): boolean {
  const story = stories.find(({ name }) => file.startsWith(`${name}/`));
  const calls = story?.calls.filter(({ stdout, stderr }) =>
    [stdout, stderr].includes(file.slice(story.name.length + 1))
  );
  if (isVirsh(command)) return (calls ?? []).some(({ program }) => program !== "virt-hooks");
  const last = command.replace(PROMPT, "").split(" | ").at(-1) ?? "";
  const [words = ""] = last.split(/ +#/);
  return (calls ?? []).some(({ program, args }) =>
    withoutRules(`${program} ${args.join(" ")}`) === withoutRules(words.trimEnd())
  );
}

function withoutRules(words: string): string {
  return words.replace(/--rules \S+ /, "");
}

function matchesQuote({ command, output }: Quoted, expected: string): boolean {
  const lines = expected.trimEnd().split("\n");
  // libvirt quotes the hook's stderr at the end of its own message.
  if (isVirsh(command)) return lines.every((line, index) => (output.at(index - lines.length) ?? "").endsWith(line));
  return matchesLines(output, lines);
}

/** Whether the lines of a quote are these; see {@linkcode LEFT_OUT}. */
export function matchesLines([line, ...rest]: readonly string[], expected: readonly string[]): boolean {
  if (line === undefined) return expected.length === 0;
  if (line.trim() === LEFT_OUT) {
    return Array.from({ length: expected.length + 1 }, (_, index) => index)
      .some((index) => matchesLines(rest, expected.slice(index)));
  }
  const [first, ...others] = expected;
  return first !== undefined && matchesLine(line, first) && matchesLines(rest, others);
}

function matchesLine(line: string, expected: string): boolean {
  if (matchesText(line, expected)) return true;
  return line.endsWith(LEFT_OUT) && sampleText(expected).startsWith(line.slice(0, -LEFT_OUT.length).trimEnd());
}

function leavesOut(line: string): boolean {
  return line.trimEnd().endsWith(LEFT_OUT);
}
