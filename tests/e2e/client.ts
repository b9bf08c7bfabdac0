/**
 * A client on a network outside a node, and connections between any of the node's network namespaces.
 * @module
 */
import type { Node } from "./node.ts";
import { until } from "./until.ts";

const ECHO_SERVER = new URL("./echo_server.ts", import.meta.url).pathname;

/** The addresses of the network between node and client. */
export const OUTSIDE = {
  host: "203.0.113.1",
  otherHost: "203.0.113.10",
  client: "203.0.113.2",
  host6: "2001:db8:1::1",
  client6: "2001:db8:1::2",
} as const;

/** A network namespace of a node: the client's, the node's own, or that of the process with this number. */
export type Where = "client" | "host" | number;

/** A connection that stays open. */
interface Stream {
  /** Sends another request on the same connection; returns the answer, `ended` or `silence`. */
  again(): Promise<string>;
}

/** A client; disposing of it ends its servers and connections. */
export interface Client extends AsyncDisposable {
  /** Returns the answer of a server to a request from a namespace: `refused` or `silence` if there is none. */
  ask(from: Where, kind: "tcp" | "udp", host: string, port: number): Promise<string>;
  /** Opens a connection; returns once the first answer has arrived. */
  stream(from: Where, kind: "tcp" | "udp", host: string, port: number): Promise<Stream>;
  /** Starts a server in a namespace; returns once it answers. */
  serve(where: Where, name: string, host: string, ports: readonly number[]): Promise<void>;
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

function echo(...args: readonly string[]): readonly string[] {
  return [Deno.execPath(), "run", "-A", "--no-config", "--unstable-net", "--quiet", ECHO_SERVER, ...args];
}

function startStream(
  pid: string | number,
  argv: readonly string[],
): { readonly end: () => Promise<void>; readonly stream: Stream } {
  const program = new Deno.Command("nsenter", {
    args: [`--net=/proc/${pid}/ns/net`, "--", ...argv],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const asks = program.stdin.getWriter();
  const answers = program.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const again = async (): Promise<string> => {
    await asks.write(new TextEncoder().encode("?"));
    return (await answers.read()).value?.trimEnd() ?? "ended";
  };
  const end = async (): Promise<void> => {
    await asks.close();
    await answers.cancel();
    await program.status;
  };
  return { end, stream: { again } };
}

/** Connects a new client to a node. */
export async function connectClient(node: Node): Promise<Client> {
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
  const ends: (() => Promise<unknown>)[] = [];
  const pidOf = (where: Where): string | number =>
    where === "client" ? holder.pid : where === "host" ? node.pid : where;
  const ask: Client["ask"] = (from, kind, to, port) => inNetwork(pidOf(from), echo("ask", kind, to, String(port)));
  return {
    ask,
    stream: async (from, kind, to, port) => {
      const { end, stream } = startStream(pidOf(from), echo("stream", kind, to, String(port)));
      ends.push(end);
      await stream.again();
      return stream;
    },
    serve: async (where, name, at, ports) => {
      const server = new Deno.Command("nsenter", {
        args: [`--net=/proc/${pidOf(where)}/ns/net`, "--", ...echo("serve", name, at, ...ports.map(String))],
        stdin: "null",
        stdout: "null",
      }).spawn();
      ends.push(() => {
        server.kill("SIGKILL");
        return server.status;
      });
      const [port = 0] = ports;
      const self = at === "0.0.0.0" ? "127.0.0.1" : at === "::" ? "::1" : at;
      await until(`the server ${name}`, async () => (await ask(where, "tcp", self, port)).startsWith(name));
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) await end();
      await holder.stdin.close();
      await holder.status;
    },
  };
}

/** The first process of a container, as the host numbers it; `word` is a word that only its command line contains. */
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
    // The process has ended.
    return "";
  }
}
