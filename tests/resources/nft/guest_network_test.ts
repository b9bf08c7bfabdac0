/** Reading libvirt's networks from their status files. */
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { readNetwork } from "../../../lib/resources/nft/guest_network.ts";
import { assertEquals } from "../../support/assert.ts";

const LAB = "<networkstatus><network><name>lab</name><bridge name='lab0'/></network></networkstatus>";
const HUGE = "/run/libvirt/network/huge.xml";

Deno.test("an unreadable status file does not prevent other networks from being read", async () => {
  const memory = memorySys({
    files: { "/run/libvirt/network/lab.xml": LAB, [HUGE]: "", "/run/libvirt/network/odd.xml": "x" },
  });
  const sys: typeof memory = {
    ...memory,
    readTextFile: (path, bytesMax) => {
      if (path === HUGE) throw new RangeError("It is longer than 4194304 bytes");
      return memory.readTextFile(path, bytesMax);
    },
  };
  const networks = await Promise.all(["huge", "odd", "lab", "none", "../x"].map((name) => readNetwork(name, sys)));
  assertEquals(networks.map((network) => network?.bridge), [undefined, undefined, "lab0", undefined, undefined]);
});
