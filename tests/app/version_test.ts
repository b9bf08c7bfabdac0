import { VERSION } from "../../lib/app/version.ts";
import configuration from "../../deno.json" with { type: "json" };
import { assertEquals } from "../support/assert.ts";

Deno.test("VERSION is the one in deno.json", () => {
  assertEquals(VERSION, configuration.version);
});
