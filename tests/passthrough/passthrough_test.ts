/**
 * The compiled hook hands devices over in a guest that has an IOMMU: everything that a host in memory cannot prove.
 * @module
 */
import { assertEquals, assertMatch } from "../support/assert.ts";
import { playInGuest } from "./guest.ts";
import { STEPS } from "./passthrough_steps.ts";
import { guestScene } from "./guest_scene.ts";

guestScene("PCI devices are handed over in front of a real kernel", async (t, hooks) => {
  const run = await playInGuest(STEPS, {
    hooks: [`${hooks}/qemu`],
    files: {
      "/etc/virt-hooks/rules.toml": { text: textOf("rules.toml"), mode: 0o644 },
      "/usr/bin/dd": { text: textOf("dd.sh"), mode: 0o755 },
    },
    prelude: textOf("prelude.sh"),
    timeoutMs: 600_000,
  });
  for (const { name, want } of STEPS) {
    await t.step(name, () => {
      const played = run.played.get(name);
      if (played === undefined) throw new Error(`The guest never came to its end; its console:\n${run.console}`);
      if (typeof want === "string") assertEquals(played.output, want);
      else assertMatch(played.output, want);
    });
  }
});

function textOf(name: string): string {
  return Deno.readTextFileSync(new URL(name, import.meta.url));
}
