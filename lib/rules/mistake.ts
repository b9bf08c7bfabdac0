/**
 * Mistakes in rules files: first as found (cheap to create), then as issues with their position in the text.
 * @module
 */

/** Keys and list indexes, starting at the top of the file. */
export type TomlPath = readonly (string | number)[];

/** A mistake, without its position. */
export interface Mistake {
  readonly file: string;
  readonly path: TomlPath;
  /** Whether the key or the value at the path is wrong; or a position, if the text cannot be parsed. */
  readonly at: "key" | "value" | { readonly line: number; readonly column: number };
  readonly found: string;
  readonly expected: string;
}

/** A mistake with its position. Lines and columns count from 1; a mistake of the whole file has none. */
export interface Issue {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** `rule[2].when.domain`; empty for the whole file. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  readonly hint: string | undefined;
}

/** Formats an issue on one line: `FILE:LINE:COLUMN: PATH: found F, expected E; did you mean H?` */
export function issueLine(issue: Issue): string {
  const position = [issue.file, issue.line, issue.column].filter((part) => part !== undefined).join(":");
  const path = issue.path === "" ? "" : `${issue.path}: `;
  const hint = issue.hint === undefined ? "" : `; ${issue.hint}`;
  return `${position}: ${path}found ${issue.found}, expected ${issue.expected}${hint}`;
}

const SHOWN_LENGTH_MAX = 60;

/** Describes a value in a rules file, short enough for a message. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
