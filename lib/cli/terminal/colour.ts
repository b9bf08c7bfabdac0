/**
 * Colours the output on a terminal, unless the user has disabled colour.
 * @module
 */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** The ways text can be set off. */
export type Tone = keyof typeof CODES;

/** Sets text off, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** A painter for a terminal, or one that paints nothing. */
export function painter(terminal: { readonly isTerminal: boolean; readonly noColor: boolean }): Paint {
  if (!terminal.isTerminal || terminal.noColor) return (_tone, text) => text;
  return (tone, text) => `\x1b[${CODES[tone]}m${text}\x1b[0m`;
}
