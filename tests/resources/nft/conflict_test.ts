/** Forwards that conflict, and forwards that do not. */
import { assertEquals } from "../../support/assert.ts";
import type { ForwardDemand } from "../../../lib/plan/nft_demand.ts";
import { forwardConflict } from "../../../lib/resources/nft/conflict.ts";
import { forward, guestAt, heldBy, open } from "./demands.ts";

const OTHER = { guest: guestAt("192.168.122.28") };
const WAITING: Partial<ForwardDemand> = {
  guest: null,
  interfaces: [{ mac: "52:54:00:00:00:02", network: "default", bridge: null, addresses: [] }],
};

const CASES: Readonly<
  Record<string, { readonly of: readonly [ForwardDemand, ForwardDemand]; readonly clash: boolean }>
> = {
  "the same port": { of: [forward(80), forward(80, OTHER)], clash: true },
  "two ports": { of: [forward(80), forward(81, OTHER)], clash: false },
  "a port in the other's range": { of: [forward([8000, 8010]), forward(8010, OTHER)], clash: true },
  "a range that ends where the other begins": {
    of: [forward([8000, 8010]), forward([8011, 8020], OTHER)],
    clash: false,
  },
  "ranges that overlap": { of: [forward([8005, 8020], OTHER), forward([8000, 8010])], clash: true },
  "tcp and udp": { of: [forward(80), forward(80, { ...OTHER, protocol: "udp" })], clash: false },
  "udp and both": { of: [forward(80, { protocol: "udp" }), forward(80, { ...OTHER, protocol: "both" })], clash: true },
  "two addresses of the host": {
    of: [forward(80, { hostAddresses: ["203.0.113.1"] }), forward(80, { ...OTHER, hostAddresses: ["203.0.113.2"] })],
    clash: false,
  },
  "one address and all": { of: [forward(80, { hostAddresses: ["203.0.113.1"] }), forward(80, OTHER)], clash: true },
  "clients apart": {
    of: [forward(80, { from: ["10.0.0.0/9"] }), forward(80, { ...OTHER, from: ["10.128.0.0/9"] })],
    clash: false,
  },
  "clients within the other's": {
    of: [forward(80, { from: ["10.0.0.0/8"] }), forward(80, { ...OTHER, from: ["192.0.2.1", "10.9.9.9"] })],
    clash: true,
  },
  "some clients and all": { of: [forward(80, { from: ["10.0.0.0/8"] }), forward(80, OTHER)], clash: true },
  "IPv4 and IPv6": { of: [forward(80), forward(80, { guest: guestAt("fd00:122::1") })], clash: false },
  "the same guest, the same port": { of: [forward(80), forward(80, { from: ["10.0.0.0/8"] })], clash: false },
  "the same guest, another port": { of: [forward(80), forward(80, { guestPort: 8080 })], clash: true },
  "a guest without an address yet": { of: [forward(80), forward(80, WAITING)], clash: true },
  "a guest without an address yet, for IPv6 alone": {
    of: [forward(80), forward(80, { ...WAITING, from: ["2001:db8::/32"] })],
    clash: false,
  },
  "a guest that waits for an address of IPv6": {
    of: [forward(80), forward(80, { ...WAITING, awaited: { family: "ipv6", networks: ["default"], problem: null } })],
    clash: false,
  },
  "one guest twice, without an address yet": { of: [forward(80, WAITING), forward(80, WAITING)], clash: false },
};

for (const [name, { of: [one, other], clash }] of Object.entries(CASES)) {
  Deno.test(`forwardConflict(): ${name}: ${clash ? "a conflict" : "no conflict"}`, () => {
    const found = forwardConflict([...heldBy("a", one), ...heldBy("net", open()), ...heldBy("b", other)]);
    assertEquals(found !== undefined, clash);
    assertEquals(forwardConflict([...heldBy("b", other), ...heldBy("a", one)]) !== undefined, clash);
  });
}

Deno.test("forwardConflict() names both holders and their demands", () => {
  const one = forward([8000, 8010], { protocol: "both", hostAddresses: ["203.0.113.1"] });
  assertEquals(
    forwardConflict([...heldBy("a", one), ...heldBy("b", forward(8005, { ...OTHER, from: ["10.0.0.0/8"] }))]),
    'guest "a" (rule "web") wants tcp and udp port 8000-8010 of 203.0.113.1, ' +
      'guest "b" (rule "web") wants tcp port 8005 from 10.0.0.0/8',
  );
});

Deno.test("forwardConflict() distinguishes two forwards of one guest", () => {
  assertEquals(
    forwardConflict(heldBy("a", forward(80), forward(80, { guestPort: 8080 }))),
    'guest "a" (rule "web") wants tcp port 80, guest "a" (rule "web") wants tcp port 80 for its port 8080',
  );
});
