/** Listeners of the host, and those that a forward hides. */
import type { HostEnd } from "../../../lib/plan/nft_demand.ts";
import { hiddenListenersText, type Listener, readListeners } from "../../../lib/resources/nft/listeners.ts";
import { denoKernel } from "../../../lib/sys/deno_kernel.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                 \n";
const REST = "00000000:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000 100 0 0 10 0\n";
const FILES = {
  "/proc/net/tcp": `${HEADER}   0: 00000000:1F90 00000000:0000 0A ${REST}   1: 0100007F:0035 00000000:0000 0A ${REST}` +
    `   2: 017AA8C0:0035 00000000:0000 0A ${REST}  13: 0A7100CB:01BB 0B7100CB:C350 01 ${REST}`,
  "/proc/net/tcp6":
    `${HEADER}   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A ${REST}` +
    `   1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A ${REST}` +
    `   2: 0000000000000000FFFF00000A7100CB:0051 00000000000000000000000000000000:0000 0A ${REST}`,
  "/proc/net/udp":
    `${HEADER}  100: 00000000:0043 00000000:0000 07 ${REST}  101: 0A7100CB:0044 0B7100CB:0043 01 ${REST}`,
};

const LISTENERS: readonly Listener[] = [
  { protocol: "tcp", address: "::", port: 22 },
  { protocol: "tcp", address: "127.0.0.1", port: 53 },
  { protocol: "tcp", address: "192.168.122.1", port: 53 },
  { protocol: "udp", address: "0.0.0.0", port: 67 },
  { protocol: "tcp", address: "2001:db8::1", port: 80 },
  { protocol: "tcp", address: "203.0.113.10", port: 81 },
  { protocol: "tcp", address: "0.0.0.0", port: 8080 },
];

Deno.test("listeners are read from the kernel's files, for both families", async () => {
  assertEquals(await readListeners(memorySys({ files: FILES })), LISTENERS);
});

Deno.test("unreadable kernel files are no failure", async () => {
  assertEquals(await readListeners(memorySys({})), []);
  const kernel = { ...memorySys({}).kernel, read: () => Promise.reject(new Error("Cannot read: cut short")) };
  assertEquals(await readListeners({ kernel }), []);
});

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`a program that really listens at ${hostname} is found`, async () => {
    using listening = Deno.listen({ hostname, port: 0 });
    const { port } = listening.addr;
    const found = (await readListeners({ kernel: denoKernel() })).filter((one) => one.port === port);
    assert(found.some(({ address, protocol }) => address === hostname && protocol === "tcp"), JSON.stringify(found));
  });
}

const GETS = "clients from outside reach the guest instead";
const CASES: readonly (readonly [string, HostEnd, string | undefined])[] = [
  ["a port of all addresses", end(8080, 8080), `a program of this host listens at 0.0.0.0:8080/tcp: ${GETS}`],
  ["another protocol", end(8080, 8080, "udp"), undefined],
  ["both protocols", end(60, 70, "both"), `a program of this host listens at 0.0.0.0:67/udp: ${GETS}`],
  ["a loopback address beside another", end(53, 53), `a program of this host listens at 192.168.122.1:53/tcp: ${GETS}`],
  ["an address that nobody listens at", end(53, 53, "tcp", "203.0.113.1"), undefined],
  [
    "one of all addresses",
    end(8080, 8080, "tcp", "203.0.113.1"),
    `a program of this host listens at 0.0.0.0:8080/tcp: ${GETS}`,
  ],
  ["an IPv6 address, and IPv4 listens", end(8080, 8080, "tcp", "2001:db8::1"), undefined],
  [
    "the very address, written otherwise",
    end(80, 80, "tcp", "2001:DB8:0::1"),
    `a program of this host listens at [2001:db8::1]:80/tcp: ${GETS}`,
  ],
  [
    "an IPv4 address, and all of IPv6 listens",
    end(22, 22, "tcp", "203.0.113.1"),
    `a program of this host listens at [::]:22/tcp: ${GETS}`,
  ],
  [
    "many",
    end(1, 65_535, "both"),
    "a program of this host listens at [::]:22/tcp, 192.168.122.1:53/tcp, 0.0.0.0:67/udp " +
    `and at 3 more of these ports: ${GETS}`,
  ],
];

function end(first: number, last: number, protocol: HostEnd["protocol"] = "tcp", ...hostAddresses: string[]): HostEnd {
  return { hostPorts: { first, last }, protocol, hostAddresses };
}

for (const [name, given, told] of CASES) {
  Deno.test(`a forward of ${name}: ${told ?? "hides no listener"}`, () => {
    assertEquals(hiddenListenersText({ ...given, sparedAddresses: [] }, LISTENERS), told);
  });
}

Deno.test("a forward hides no listener at a spared address", () => {
  const told = hiddenListenersText({ ...end(53, 53), sparedAddresses: ["192.168.122.1"] }, LISTENERS);
  assertEquals(told, undefined);
});
