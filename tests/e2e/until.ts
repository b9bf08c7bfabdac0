/**
 * Waiting for something that another process does: by looking again, with an end.
 * @module
 */

const LOOK_AGAIN_MS = 20;

/**
 * Calls `look` until it gives something other than `undefined` or `false`, and returns that.
 *
 * @throws {Error} when `timeoutMs` have passed; it says what was waited for.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const start = performance.now();
  while (true) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() - start > timeoutMs) {
      throw new Error(`Cannot wait any longer for ${what}: not seen within ${timeoutMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
