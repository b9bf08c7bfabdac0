import { makeOperationsPage } from "../../build/docs/operations_page.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("docs/reference/operations.md is what the driver table says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/reference/operations.md", import.meta.url));
  assertEquals(page, makeOperationsPage());
});
