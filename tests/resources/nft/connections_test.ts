/** Connections that a change of the table leaves on a wrong way: which they are, and that they end. */
import { assertEquals } from "../../support/assert.ts";
import {
  endConnections,
  type ForwardPath,
  forwardPathsOf,
  misroutedFlows,
  parseFlow,
} from "../../../lib/resources/nft/connections.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { type MemoryProgram, memorySys } from "../../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../../lib/sys/tools.ts";
import { forward, guestAt, heldBy } from "./demands.ts";

const SIX = guestAt("fd00:122::11");

function way(protocol: "tcp" | "udp", first: number, last: number, guest = "192.168.122.11"): ForwardPath {
  return { family: guest.includes(":") ? "ipv6" : "ipv4", protocol, ports: { first, last }, guest };
}

const WAYS: Readonly<Record<string, readonly [Parameters<typeof forward>, readonly ForwardPath[]]>> = {
  "another port": [[8080, { guestPort: 80 }], [way("tcp", 8080, 8080)]],
  "the same ports, both protocols": [[[5000, 5003], { protocol: "both" }], [
    way("tcp", 5000, 5003),
    way("udp", 5000, 5003),
  ]],
  "a range with a shift": [[[6000, 6003], { guestPort: 5000, protocol: "udp" }], [way("udp", 6000, 6003)]],
  "narrowed": [[80, { from: ["10.0.0.0/8", "198.51.100.7"], hostAddresses: ["203.0.113.1"] }], [way("tcp", 80, 80)]],
  "IPv6 at another port": [[8080, { guestPort: 80, guest: SIX }], [way("tcp", 8080, 8080, SIX.address)]],
  "IPv6 at the same": [[8080, { guest: SIX }], [way("tcp", 8080, 8080, SIX.address)]],
  "an IPv6 range with a shift": [[[80, 81], { guestPort: 90, guest: SIX }], [way("tcp", 80, 81, SIX.address)]],
};

for (const [name, [given, ways]] of Object.entries(WAYS)) {
  Deno.test(`the way of a forward: ${name}`, () => {
    assertEquals(forwardPathsOf(wantedTable(heldBy('to 10.1.1.1 "dport 9"', forward(...given)))), ways);
  });
}

const LED = "tcp      6 431999 ESTABLISHED src=203.0.113.2 dst=203.0.113.1 sport=4000 dport=8080 src=192.168.122.11 " +
  "dst=203.0.113.2 sport=80 dport=4000 [ASSURED] mark=0 use=1";
const COUNTED = "tcp 6 9 ESTABLISHED src=203.0.113.2 dst=203.0.113.1 sport=4000 dport=8080 packets=1 bytes=52 " +
  "src=192.168.122.11 dst=203.0.113.2 sport=80 dport=4000 packets=2 bytes=90 [ASSURED] mark=0 use=1";
const UNANSWERED = "udp      17 29 src=2001:db8::2 dst=2001:db8::1 sport=4000 dport=53 [UNREPLIED] src=2001:db8::1 " +
  "dst=2001:db8::2 sport=53 dport=4000 mark=0 use=1";

const LINES: Readonly<Record<string, readonly [string, ReturnType<typeof parseFlow>]>> = {
  "led to a guest": [LED, [{ family: "ipv4", protocol: "tcp", port: 8080, at: { guest: "192.168.122.11" } }]],
  "counted": [COUNTED, [{ family: "ipv4", protocol: "tcp", port: 8080, at: { guest: "192.168.122.11" } }]],
  "not answered": [UNANSWERED, [{ family: "ipv6", protocol: "udp", port: 53, at: { destination: "2001:db8::1" } }]],
  "answered by the host itself": [UNANSWERED.replace("[UNREPLIED] ", ""), []],
  "on the way out of a guest": [UNANSWERED.replace("dst=2001:db8::2 sport=53", "dst=2001:db8::9 sport=53"), []],
  "something else": ["icmp 1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0", []],
};

for (const [name, [line, flows]] of Object.entries(LINES)) {
  Deno.test(`a flow ${name}`, () => assertEquals(parseFlow(line), flows));
}

Deno.test("only flows that nothing leads to their guest any more are on a wrong way", () => {
  const at = (port: number, guest = "192.168.122.11"): ReturnType<typeof parseFlow>[number] => ({
    ...{ family: "ipv4", protocol: "tcp", port } as const,
    at: { guest },
  });
  const ended = misroutedFlows([at(80), at(80), at(81), at(82), at(80, "192.168.122.12")], {
    removed: [way("tcp", 80, 81)],
    added: [],
    // Another forward of the same port, for others, still leads there.
    after: [way("tcp", 81, 81)],
  });
  assertEquals(ended, [at(80)]);
});

interface Played {
  readonly note: string | undefined;
  readonly asked: readonly string[];
}

const WEB = wantedTable(heldBy("web", forward(8080, { guestPort: 80, protocol: "both" })));

type Answer = ReturnType<MemoryProgram>;

async function play(
  from: typeof WEB,
  to: typeof WEB,
  { there = true, answer = () => ({}), deadlineMs = 10_000 }: {
    readonly there?: boolean;
    readonly answer?: (line: string) => Answer;
    readonly deadlineMs?: number;
  } = {},
): Promise<Played> {
  const asked: string[] = [];
  const conntrack: MemoryProgram = ({ argv }) => {
    const line = argv.slice(1).join(" ");
    asked.push(line);
    return answer(line);
  };
  const files = there ? { [TOOLS.conntrack]: "" } : {};
  const sys = memorySys({ files, programs: { [TOOLS.conntrack]: conntrack } });
  return { note: await endConnections({ from, to }, deadlineMs, sys), asked };
}

Deno.test("connections to a guest's port end when the port is removed", async () => {
  const answer = (line: string): Answer => ({ stdout: line.startsWith("-L -f ipv4 -p tcp") ? `${LED}\n` : "" });
  assertEquals((await play(WEB, null, { answer })).asked, [
    "-L -f ipv4 -p tcp --dst-nat 192.168.122.11",
    "-D -f ipv4 -p tcp --orig-port-dst 8080 --dst-nat 192.168.122.11",
    "-L -f ipv4 -p udp --dst-nat 192.168.122.11",
  ]);
});

Deno.test("all connections to a guest are deleted at once, unless another forward still leads to it", async () => {
  const many = [8080, 8081, 8082].map((port) => LED.replace("dport=8080", `dport=${port}`)).join("\n");
  const range = wantedTable(heldBy("web", forward([8080, 8082])));
  const answer = (line: string): Answer => ({ stdout: line.startsWith("-L") ? `${many}\n` : "" });
  assertEquals((await play(range, null, { answer })).asked.slice(1), ["-D -f ipv4 -p tcp --dst-nat 192.168.122.11"]);
  const two = wantedTable(heldBy("web", forward([8080, 8081])));
  assertEquals((await play(two, null, { answer })).asked.slice(1), [
    "-D -f ipv4 -p tcp --orig-port-dst 8080 --dst-nat 192.168.122.11",
    "-D -f ipv4 -p tcp --orig-port-dst 8081 --dst-nat 192.168.122.11",
  ]);
});

Deno.test("flows from before a port was forwarded are searched for when it is", async () => {
  assertEquals((await play(null, WEB)).asked, ["-L -f ipv4 -p udp"]);
});

Deno.test("conntrack is not run without changed forwards, or if it is not installed", async () => {
  assertEquals((await play(WEB, WEB)).asked, []);
  assertEquals(await play(WEB, null, { there: false }), { note: undefined, asked: [] });
});

Deno.test("without enough time left, the warning says so", async () => {
  const answer = (line: string): Answer => ({ stdout: line.startsWith("-L") ? `${LED}\n` : "" });
  const { note, asked } = await play(WEB, null, { answer, deadlineMs: 0 });
  assertEquals([note, asked], ["Cannot end existing connections: there are too many for the remaining time", []]);
});

Deno.test("nothing to delete is no failure; a failure is reported and fails no write", async () => {
  const none = (line: string): Answer =>
    line.startsWith("-L") ? { stdout: `${LED}\n` } : { end: { kind: "exited", code: 1 }, stderr: "0 flow entries" };
  assertEquals((await play(WEB, null, { answer: none })).note, undefined);
  const broken = (): Answer => ({ end: { kind: "exited", code: 2 }, stderr: "no such kernel" });
  assertEquals(
    (await play(WEB, null, { answer: broken })).note,
    "Cannot end existing connections: no such kernel",
  );
});
