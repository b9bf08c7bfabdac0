import { makePicture } from "../../build/docs/picture.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("docs/picture.svg is what `deno task picture` makes", async () => {
  const picture = await Deno.readTextFile(new URL("../../docs/picture.svg", import.meta.url));
  assertEquals(picture, await makePicture());
});
