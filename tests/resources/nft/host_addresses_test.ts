/** The host's addresses, and the warning about one that it does not have. */
import { missingText, readHostAddresses } from "../../../lib/resources/nft/host_addresses.ts";
import { denoSys } from "../../../lib/sys/deno_sys.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const THERE = new Set(["127.0.0.1", "203.0.113.10", "2001:db8::1"]);

Deno.test("this host's own addresses are read", async () => {
  const addresses = await readHostAddresses(denoSys());
  assert(addresses?.has("127.0.0.1"), `${[...addresses ?? []]}`);
});

Deno.test("unreadable addresses are no failure, and give no warning", async () => {
  const addresses = await readHostAddresses(memorySys({}));
  assertEquals([addresses, missingText(["203.0.113.77"], addresses)], [undefined, undefined]);
});

Deno.test("an address that the host lacks is named, however it is written", () => {
  assertEquals(missingText(["203.0.113.10", "2001:DB8:0::1"], THERE), undefined);
  assertEquals(
    missingText(["203.0.113.10", "203.0.113.77"], THERE),
    "203.0.113.77 is not an address of this host: no packets arrive there until it is",
  );
  assertEquals(
    missingText(["203.0.113.77", "2001:db8::7"], THERE),
    "203.0.113.77, 2001:db8::7 are not addresses of this host: no packets arrive there until they are",
  );
});
