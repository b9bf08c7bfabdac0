/**
 * Cells beneath each other.
 * @module
 */
import { lengthOf } from "./wrap.ts";

/** The column separator. */
export const GAP = "  ";

/** How wide each column is. */
export function widthsOf(rows: readonly (readonly string[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => lengthOf(row[column] ?? ""))));
}

/** A row, each cell as wide as its column. */
export function padded(cells: readonly string[], widths: readonly number[]): string {
  return cells.map((cell, column) => cell + " ".repeat(Math.max((widths[column] ?? 0) - lengthOf(cell), 0)))
    .join(GAP).trimEnd();
}
