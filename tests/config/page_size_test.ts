import { pageSizeText, parsePageSize } from "../../lib/config/page_size.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("parsePageSize() and pageSizeText() are each other's reverse, in the largest unit", () => {
  for (
    const { text, kib, back } of [
      { text: "64K", kib: 64, back: "64K" },
      { text: "2048K", kib: 2048, back: "2M" },
      { text: "32M", kib: 32 * 1024, back: "32M" },
      { text: "1024M", kib: 1024 * 1024, back: "1G" },
      { text: "16G", kib: 16 * 1024 * 1024, back: "16G" },
    ]
  ) {
    assertEquals(parsePageSize(text), kib);
    assertEquals(pageSizeText(kib), back);
  }
});

Deno.test("parsePageSize() takes nothing else", () => {
  for (const text of ["", "2", "2MB", "2 M", "02M", "0M", "-2M", "1.5G", "default"]) {
    assertEquals(parsePageSize(text), undefined, text);
  }
});
