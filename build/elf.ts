/**
 * The two facts of an ELF file that the build needs: for which machine it is, and where it ends.
 * @module
 */

/** What the header of a 64-bit little-endian ELF file says. */
export interface ElfHeader {
  /** `e_machine`. */
  readonly machine: number;
  /** Where the section table, the last part of a linked file, ends. What follows was glued on later. */
  readonly endBytes: number;
}

const HEADER_BYTES = 64;
// 0x7f "ELF", class 64 bit, data little-endian.
const IDENTITY = [0x7f, 0x45, 0x4c, 0x46, 2, 1] as const;

/** Reads the header, or says `undefined` when the bytes are no 64-bit little-endian ELF file. */
export function parseElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  if (bytes.length < HEADER_BYTES || IDENTITY.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const sectionTableOffset = Number(view.getBigUint64(0x28, true));
  return {
    machine: view.getUint16(0x12, true),
    endBytes: sectionTableOffset + view.getUint16(0x3a, true) * view.getUint16(0x3c, true),
  };
}
