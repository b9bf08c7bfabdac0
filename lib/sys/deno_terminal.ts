/**
 * The real terminal.
 * @module
 */
import type { Terminal } from "./terminal.ts";

/** The terminal this program was started from. */
export function denoTerminal(): Terminal {
  return {
    isTerminal: Deno.stdout.isTerminal(),
    stdinIsTerminal: Deno.stdin.isTerminal(),
    columns: Deno.stdout.isTerminal() ? Deno.consoleSize().columns : Infinity,
    ask: (question) => confirm(question),
    noColor: (Deno.env.get("NO_COLOR") ?? "") !== "" || Deno.env.get("TERM") === "dumb",
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    readTail,
  };
}

function readTail(path: string, offsetBytes: number): string {
  const file = Deno.openSync(path);
  using _file = file;
  file.seekSync(offsetBytes, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.max(file.statSync().size - offsetBytes, 0));
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}
