/** Leases as libvirt's helper notes them, whatever guests have sent. */
import { readLeases } from "../../../lib/resources/nft/leases.ts";
import { denoSys } from "../../../lib/sys/deno_sys.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { assertEquals } from "../../support/assert.ts";

const PATH = "/var/lib/libvirt/dnsmasq/virbr0.status";
const MAC = "52:54:00:00:00:01";

function read(text: string, bridge: string | undefined = "virbr0"): readonly string[] | string {
  const leases = readLeases(bridge, memorySys({ files: { [PATH]: text } }));
  return leases.kind === "read" ? leases.of(MAC) : leases.reason;
}

function lease(more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { "ip-address": "192.168.122.28", "mac-address": MAC, "expiry-time": 1_900_000_000, ...more };
}

const CASES: Readonly<Record<string, readonly [text: string, expected: readonly string[] | string]>> = {
  "one": [JSON.stringify([lease({})]), ["192.168.122.28"]],
  "as libvirt lays it out": [JSON.stringify([lease({}), lease({ "mac-address": "x" })], null, 2), ["192.168.122.28"]],
  "one that never ends before one that does": [
    JSON.stringify([lease({}), lease({ "ip-address": "192.168.122.29", "expiry-time": 0 })]),
    ["192.168.122.29", "192.168.122.28"],
  ],
  "one without an end": [JSON.stringify([lease({ "expiry-time": undefined })]), ["192.168.122.28"]],
  "a MAC address as another guest's host name": [
    JSON.stringify([lease({ "mac-address": "52:54:00:00:00:02", hostname: MAC })]),
    [],
  ],
  "a host name that looks like a lease": [
    JSON.stringify([lease({ "mac-address": "x", hostname: `"},{"ip-address":"10.0.0.1","mac-address":"${MAC}"}` })]),
    [],
  ],
  "none": ["[]", []],
  "nothing": ["\n", []],
  "the first half": ['[{"ip-address":', `${PATH} is no list of leases, or is being written`],
  "something else": ['{"a": 1}', `${PATH} is no list of leases, or is being written`],
};

for (const [name, [text, expected]] of Object.entries(CASES)) {
  Deno.test(`leases: ${name}`, () => assertEquals(read(text), expected));
}

Deno.test("leases: a bridge that is none has none", () => {
  assertEquals([read("[]", "../virbr0"), read("[]", "virbr9")], [[], []]);
});

Deno.test("leases: what is no regular file is not opened", () => {
  const sys = memorySys({ files: { [PATH]: { kind: "other" } } });
  assertEquals(readLeases("virbr0", sys), { kind: "unreadable", reason: `${PATH} is not a regular file` });
});

Deno.test("leases: a file that is longer than libvirt's own limit is not read, a long one is", async () => {
  const real = denoSys();
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-leases." });
  try {
    const inFolder = (path: string): string => path.replace("/var/lib/libvirt/dnsmasq", folder);
    const sys = {
      lstat: (path: string) => real.lstat(inFolder(path)),
      readTextFile: (path: string, bytesMax: number) => real.readTextFile(inFolder(path), bytesMax),
      now: () => real.now(),
    };
    const filled = (bytes: number): string => {
      const last = JSON.stringify(lease({ "expiry-time": 0 }));
      return `[${" ".repeat(bytes - last.length - 2)}${last}]`;
    };
    const limit = 32 * 1024 * 1024;
    await Deno.writeTextFile(`${folder}/virbr0.status`, filled(limit));
    const long = readLeases("virbr0", sys);
    assertEquals(long.kind === "read" ? long.of(MAC) : long.reason, ["192.168.122.28"]);
    await Deno.writeTextFile(`${folder}/virbr0.status`, filled(limit + 1));
    assertEquals(readLeases("virbr0", sys), {
      kind: "unreadable",
      reason: `${PATH} cannot be read: It is longer than ${limit} bytes`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
