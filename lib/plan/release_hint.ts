/**
 * The command that gives a resource up by hand.
 * @module
 */
import { visible } from "../text/quote.ts";

/** What to do about a resource that cannot be put back. */
export function releaseHint(key: string): string {
  return `"${releaseResourceCommand(key)}" tries again, and asks whether to forget it when that fails`;
}

/** The command, so that a shell takes it as it is. */
export function releaseResourceCommand(key: string): string {
  const shown = visible(key);
  const word = /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
  return `virt-hooks release --resource ${word}`;
}
