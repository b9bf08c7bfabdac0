/**
 * Writes the archive that a Linux kernel unpacks as its first root folder (cpio, format "newc").
 * @module
 */

/** Something in the archive; everything belongs to root. */
export type Entry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly bytes: Uint8Array; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const FILE_TYPES = { folder: 0o040_000, file: 0o100_000, link: 0o120_000 } as const;

/** The archive as pieces, to be written one after the other. */
export function* cpio(entries: readonly Entry[]): Generator<Uint8Array> {
  for (const [index, entry] of entries.entries()) yield* piece(index + 1, entry);
  yield* piece(entries.length + 1, { kind: "file", path: "TRAILER!!!", bytes: new Uint8Array(), mode: 0 });
}

function* piece(inode: number, entry: Entry): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const name = encoder.encode(`${entry.path.replace(/^\//, "")}\0`);
  const data = entry.kind === "file"
    ? entry.bytes
    : entry.kind === "link"
    ? encoder.encode(entry.target)
    : new Uint8Array();
  const mode = FILE_TYPES[entry.kind] | (entry.kind === "file" ? entry.mode : entry.kind === "link" ? 0o777 : 0o755);
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  yield encoder.encode(`070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`);
  yield name;
  yield padding(110 + name.length);
  yield data;
  yield padding(data.length);
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - length % 4) % 4);
}
