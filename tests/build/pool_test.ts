import { mapPooled } from "../../build/pool.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";

Deno.test("mapPooled() keeps the order of the items and the limit", async () => {
  const seen = { running: 0, most: 0 };
  const results = await mapPooled([3, 1, 2, 0], 2, async (turns) => {
    seen.most = Math.max(seen.most, ++seen.running);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    seen.running--;
    return turns * 10;
  });
  assertEquals(results, [30, 10, 20, 0]);
  assertEquals(seen.most, 2);
});

Deno.test("mapPooled() begins nothing after a failure, and waits for what is under way", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  await assertRejects(
    () =>
      mapPooled([1, 2, 3, 4], 2, async (item) => {
        begun.push(item);
        if (item === 1) throw new RangeError("The first fails");
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
        ended.push(item);
      }),
    RangeError,
    "The first fails",
  );
  assertEquals(begun, [1, 2]);
  assert(ended.includes(2), "the second was abandoned");
});
