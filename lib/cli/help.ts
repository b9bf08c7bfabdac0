/**
 * The help of subcommands, made from their tables.
 * @module
 */
import { PRODUCT } from "../app/product.ts";
import type { Subcommand } from "./subcommand.ts";
import { lengthOf } from "./terminal/wrap.ts";

/** Help fits a terminal of this width. */
const COLUMNS = 80;
const INDENT = "  ";
const USAGE = "Usage: ";
/** Terms that are longer have their description on the next line. */
const TERM_LENGTH_MAX = 22;

/** The command line in short. */
export function usageLine({ name, args, options, stdin }: Subcommand): string {
  const words = args.map(({ name: word, isOptional, isRepeated }) => {
    const text = `${word}${isRepeated ? "..." : ""}`;
    return isOptional ? `[${text}]` : text;
  });
  const parts = [PRODUCT, name, ...options.length === 0 ? [] : ["[OPTIONS]"], ...words];
  return [...parts, ...stdin === undefined ? [] : [`< ${stdin}`]].join(" ");
}

/** All that `--help` prints, a line each. */
export function helpLines(subcommand: Subcommand): readonly string[] {
  const { args, options, exitCodes, examples } = subcommand;
  const flags = [
    ...options.map(({ name, value, description }) => ({
      term: value === undefined ? `--${name}` : `--${name} ${value}`,
      description,
    })),
    { term: "-h, --help", description: "Print this help" },
  ];
  return [
    ...paragraph(usageLine(subcommand), " ".repeat(USAGE.length)).map((line, index) =>
      index === 0 ? `${USAGE}${line.trimStart()}` : line
    ),
    "",
    ...paragraph(`${subcommand.summary}.`, ""),
    ...subcommand.description.flatMap((text) => ["", ...paragraph(text, "")]),
    ...section("Arguments", args.map(({ name, description }) => ({ term: name, description }))),
    ...section("Options", flags),
    ...section("Exit codes", [
      { term: "0", description: "Success" },
      ...exitCodes.map(({ code, meaning }) => ({ term: String(code), description: meaning })),
    ]),
    ...examples.length === 0 ? [] : ["", "Examples:"],
    ...examples.flatMap(({ command, description }) => [`${INDENT}# ${description}`, `${INDENT}${command}`]),
  ];
}

function section(
  title: string,
  rows: readonly { readonly term: string; readonly description: string }[],
): readonly string[] {
  if (rows.length === 0) return [];
  const longest = Math.max(...rows.map(({ term }) => lengthOf(term)).filter((length) => length <= TERM_LENGTH_MAX), 0);
  const indent = " ".repeat(INDENT.length + longest + 2);
  return [
    "",
    `${title}:`,
    ...rows.flatMap(({ term, description }) => {
      const [first = "", ...rest] = paragraph(description, indent);
      if (lengthOf(term) > longest) return [`${INDENT}${term}`, first, ...rest];
      return [`${INDENT}${term.padEnd(longest)}  ${first.trimStart()}`, ...rest];
    }),
  ];
}

/** Lines of a text, broken between words. */
function paragraph(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + lengthOf(line) + 1 + lengthOf(word) > COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => indent + each);
}
