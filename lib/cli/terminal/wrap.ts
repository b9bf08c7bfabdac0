/**
 * Text that fits the terminal.
 * @module
 */

/** Breaks text between words. Lines after the first begin further in; a word that is longer than a line is left whole. */
export function wrapped(
  text: string,
  { columns, indent }: { readonly columns: number; readonly indent: number },
): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const width = columns - indent - (lines.length === 0 ? 0 : FURTHER_IN);
    if (line !== "" && lengthOf(line) + 1 + lengthOf(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each, index) => " ".repeat(indent + (index === 0 ? 0 : FURTHER_IN)) + each).join("\n");
}

const FURTHER_IN = 2;

/** How many characters wide a text is. */
export function lengthOf(text: string): number {
  return [...text].length;
}
