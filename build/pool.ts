/**
 * A few things at a time.
 * @module
 */

/**
 * Runs `work` on every item, at most `atOnce` at the same time; the results keep the order of the items. When one
 * fails no other is begun, and those under way are waited for.
 *
 * @throws What the first that failed has thrown.
 */
export async function mapPooled<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: { readonly index: number; readonly result: R }[] = [];
  const failures: unknown[] = [];
  const queue = items.entries();
  async function drain(): Promise<void> {
    for (const [index, item] of queue) {
      try {
        results.push({ index, result: await work(item) });
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0) return;
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, drain));
  if (failures.length > 0) throw failures[0];
  return results.toSorted((a, b) => a.index - b.index).map(({ result }) => result);
}
