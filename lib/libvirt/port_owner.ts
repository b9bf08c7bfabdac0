/**
 * The guest of a network's port, read without a parser: every hook call about a port names it in the history.
 * @module
 */
import { rawPieces } from "../xml/value.ts";

/**
 * The name of the guest that owns the port of a `<hookData>`; `undefined` where none is said. libvirt writes the port last and
 * escapes the name, so the last `<networkport>` is its own.
 */
export function portOwnerName(document: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(document);
  const start = text.lastIndexOf("<networkport>");
  if (start === -1) return undefined;
  const [, name] = /<owner>\s*<name>([^<]*)<\/name>/.exec(text.slice(start)) ?? [];
  return name === undefined ? undefined : [...rawPieces(name, "text")].map(({ value }) => value).join("");
}
