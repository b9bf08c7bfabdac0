/**
 * A terminal of a test: a pipe of 100 columns at which nobody answers, unless the test says otherwise.
 * @module
 */
import type { Terminal } from "../../lib/sys/terminal.ts";

/** Makes a terminal. */
export function testTerminal(given: Partial<Terminal> = {}): Terminal {
  return {
    isTerminal: false,
    stdinIsTerminal: false,
    noColor: false,
    columns: 100,
    ask: (question) => {
      throw new Error(`Nobody is there to be asked: ${question}`);
    },
    sleep: () => Promise.reject(new Error("Nothing waits here")),
    readTail: () => "",
    ...given,
  };
}
