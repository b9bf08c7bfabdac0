/**
 * What only the admin command needs of the world: a person in front of it, and a log to watch.
 * @module
 */

/** The terminal, if there is one, and time that passes. */
export interface Terminal {
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Whether stdin is a terminal, where its content would have to be typed. */
  readonly stdinIsTerminal: boolean;
  /** Whether the user asked for no colour (`NO_COLOR`), or the terminal has none (`TERM=dumb`). */
  readonly noColor: boolean;
  /** How many characters fit on a line; `Infinity` where there is no terminal: what a program reads is not folded. */
  readonly columns: number;
  /** Asks the person in front of it; anything but a yes is a no. Only where stdin is a terminal. */
  ask(question: string): boolean;
  sleep(durationMs: number): Promise<void>;
  /** What a file holds from an offset in bytes on. */
  readTail(path: string, offsetBytes: number): string;
}
