/**
 * Hashes of bytes and files.
 * @module
 */

// crypto.subtle needs the whole file in memory. node:* modules slow the start of a hook, but the build is in no binary.
// deno-lint-ignore project/no-node-imports
import { createHash } from "node:crypto";

const PIECE_BYTES = 1024 * 1024;

/** Returns the SHA-256 in hexadecimal, as `sha256sum` prints it. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** Returns the SHA-512 in base64, as in npm's `integrity`. */
export async function sha512Base64(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)).toBase64();
}

/** Returns the SHA-256 of a file, read in pieces, or `undefined` when there is no such file. */
export async function sha256OfFile(path: string): Promise<string | undefined> {
  try {
    using file = await Deno.open(path);
    const hash = createHash("sha256");
    const piece = new Uint8Array(PIECE_BYTES);
    for (let read = await file.read(piece); read !== null; read = await file.read(piece)) {
      hash.update(piece.subarray(0, read));
    }
    return hash.digest("hex");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
