/** Traffic of forwards, counted by the real nft. */
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { changeScript } from "../../../lib/resources/nft/table.ts";
import { readFilterStatus } from "../../../lib/resources/nft/traffic.ts";
import type { ForwardDemand } from "../../../lib/plan/nft_demand.ts";
import type { HeldDemand } from "../../../lib/resources/resource.ts";
import { assertEquals } from "../../support/assert.ts";
import { forward, SAMPLES } from "./demands.ts";
import { filterTest } from "./namespace.ts";

function forwardsOf(name: string): readonly HeldDemand<ForwardDemand>[] {
  return (SAMPLES[name] ?? []).flatMap(({ holder, demand }) => demand.kind === "forward" ? [{ holder, demand }] : []);
}

filterTest("the counters of each forward are read from the real nft", async ({ sys, must }) => {
  for (const sample of ["plain", "odd"]) {
    const held = forwardsOf(sample);
    const script = changeScript(null, wantedTable(held))
      .replace(/^add counter \w+ \w+ f_.*$/gm, "$& { packets 5 bytes 7 ; }")
      .replace(/^add counter \w+ \w+ new_.*$/gm, "$& { packets 3 bytes 9 ; }");
    await must(["/usr/sbin/nft", "-f", "-"], script);
    const watch = await readFilterStatus(sys);
    const told = held.filter(({ demand }) => demand.guest !== null && wantedTable([{ holder: "", demand }]) !== null)
      .map(watch.forward);
    assertEquals(
      told,
      told.map(() => ({
        state: "active" as const,
        reason: null,
        traffic: { packets: 5, bytes: 7, connections: 3 },
      })),
    );
    assertEquals(told.length > 5, true);
    assertEquals(watch.forward({ holder: "nobody", demand: forward(9999) }).state, "drift");
    await must(["/usr/sbin/nft", "delete", "table", "inet", "virt_hooks"]);
  }
});

filterTest("a forward that the real iptables rejects is outranked", async ({ sys, must }) => {
  const [held] = forwardsOf("plain");
  if (held === undefined) throw new Error("There is no sample");
  await must(["/usr/sbin/nft", "-f", "-"], changeScript(null, wantedTable([held])));
  assertEquals((await readFilterStatus(sys)).forward(held).state, "active");
  await must(["/usr/sbin/iptables", "-w", "-P", "FORWARD", "DROP"]);
  assertEquals((await readFilterStatus(sys)).forward(held), {
    state: "outranked",
    reason: "outranked by FORWARD of iptables, which may reject it first",
    traffic: { packets: 0, bytes: 0, connections: 0 },
  });
});
