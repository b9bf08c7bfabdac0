/**
 * What is new in a node's history since one looked last.
 * @module
 */
import { inShort } from "./history.ts";
import type { Node } from "./node.ts";
import { until } from "./until.ts";

/** Looks at a history bit by bit. */
export interface Watch {
  /** The lines since the last look, in short. */
  news(): Promise<readonly string[]>;
  /** Waits until a line of this operation is among the lines since the last look, then gives those. */
  newsUntil(what: string, operation: string): Promise<readonly string[]>;
}

/** Starts at the history's beginning. */
export function makeWatch(node: Node): Watch {
  let seen = 0;
  async function news(): Promise<readonly string[]> {
    const lines = await node.history();
    const fresh = lines.slice(seen);
    seen = lines.length;
    return fresh.map(inShort);
  }
  return {
    news,
    newsUntil: async (what, operation) => {
      await until(what, async () => (await node.history()).slice(seen).some((line) => line.operation === operation));
      return await news();
    },
  };
}
