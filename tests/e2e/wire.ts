/**
 * A client outside a node, behind a wire of its own, and talk between any of the node's network namespaces.
 * @module
 */
import type { Node } from "./node.ts";
import { until } from "./until.ts";

const TALK = new URL("./talk.ts", import.meta.url).pathname;

/** The node's end of the wire, and the client's. */
export const OUTSIDE = {
  host: "203.0.113.1",
  otherHost: "203.0.113.10",
  client: "203.0.113.2",
  host6: "2001:db8:1::1",
  client6: "2001:db8:1::2",
} as const;

/** A client, and servers that end with it. */
export interface Wire extends AsyncDisposable {
  /** What a server answers to somebody in a process's network. */
  ask(from: "client" | "host" | number, kind: "tcp" | "udp", host: string, port: number): Promise<string>;
  /** Starts a server in a process's network; it answers at once when this returns. */
  serve(where: "client" | "host" | number, name: string, host: string, ports: readonly number[]): Promise<void>;
}

async function inNetwork(pid: string | number, argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=/proc/${pid}/ns/net`, "--", ...argv],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`Cannot go on without ${argv.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

async function ip(pid: string | number, ...lines: readonly string[]): Promise<void> {
  for (const line of lines) await inNetwork(pid, ["ip", ...line.split(" ")]);
}

function talk(...args: readonly string[]): readonly string[] {
  return [Deno.execPath(), "run", "-A", "--no-config", "--unstable-net", "--quiet", TALK, ...args];
}

/** Wires a client to a node. */
export async function wireClient(node: Node): Promise<Wire> {
  const holder = new Deno.Command("unshare", { args: ["--net", "cat"], stdin: "piped", stdout: "null" }).spawn();
  const own = Deno.readLinkSync("/proc/self/ns/net");
  await until("the client's namespace", () => Deno.readLinkSync(`/proc/${holder.pid}/ns/net`) !== own);
  const { host, otherHost, client, host6, client6 } = OUTSIDE;
  await ip(
    node.pid,
    `link add up0 type veth peer name c0 netns ${holder.pid}`,
    ...[host, otherHost].map((address) => `addr add ${address}/24 dev up0`),
    `-6 addr add ${host6}/64 dev up0 nodad`,
    "link set up0 up",
  );
  await ip(
    holder.pid,
    "link set lo up",
    `addr add ${client}/24 dev c0`,
    `-6 addr add ${client6}/64 dev c0 nodad`,
    "link set c0 up",
    `route add default via ${host}`,
    `-6 route add default via ${host6}`,
  );
  const servers: Deno.ChildProcess[] = [];
  const pidOf = (where: "client" | "host" | number): string | number =>
    where === "client" ? holder.pid : where === "host" ? node.pid : where;
  const ask: Wire["ask"] = (from, kind, to, port) => inNetwork(pidOf(from), talk("ask", kind, to, String(port)));
  return {
    ask,
    serve: async (where, name, at, ports) => {
      servers.push(
        new Deno.Command("nsenter", {
          args: [`--net=/proc/${pidOf(where)}/ns/net`, "--", ...talk("serve", name, at, ...ports.map(String))],
          stdin: "null",
          stdout: "null",
        }).spawn(),
      );
      const [port = 0] = ports;
      const self = at === "0.0.0.0" ? "127.0.0.1" : at === "::" ? "::1" : at;
      await until(`the server ${name}`, async () => (await ask(where, "tcp", self, port)).startsWith(name));
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) {
        server.kill("SIGKILL");
        await server.status;
      }
      await holder.stdin.close();
      await holder.status;
    },
  };
}

/** The first process of a container, as the machine numbers it, by a word that only its command line has. */
export async function containerPid(word: string): Promise<number> {
  return await until(`the container of ${word}`, () => {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (/^\d+$/.test(name) && commandLine(name).startsWith(`/bin/sh\0-c\0: ${word};`)) return Number(name);
    }
    return undefined;
  });
}

function commandLine(pid: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
