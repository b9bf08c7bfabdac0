/**
 * A server that answers with its name and the address of the client, and a client for it. Both run as separate programs, in any
 * network namespace.
 *
 *   echo_server.ts serve NAME HOST PORT...          TCP and UDP, until it is killed
 *   echo_server.ts ask tcp|udp HOST PORT            prints the answer, `refused` or `silence`
 *   echo_server.ts stream tcp|udp HOST PORT         the same for each byte read, on one connection; `ended` once it is closed
 * @module
 */
const ANSWER_MS = 1_500;
const BIND_AGAIN_MS = 50;

/** The part of `Deno.DatagramConn` used here; the types of Deno's unstable API are not loaded by default. */
interface Datagrams {
  receive(): Promise<[Uint8Array, Deno.Addr]>;
  send(bytes: Uint8Array, to: Deno.Addr): Promise<number>;
  close(): void;
}

function say(address: Deno.Addr): string {
  return address.transport === "tcp" || address.transport === "udp" ? address.hostname.replace("::ffff:", "") : "";
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Retries while the kernel still checks that an IPv6 address is unique (duplicate address detection). */
async function bound<Socket>(bind: () => Socket): Promise<Socket> {
  while (true) {
    try {
      return bind();
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrNotAvailable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, BIND_AGAIN_MS));
    }
  }
}

async function serveTcp(name: string, hostname: string, port: number): Promise<void> {
  for await (const connection of await bound(() => Deno.listen({ hostname, port }))) {
    void serveConnection(connection, bytes(`${name} sees ${say(connection.remoteAddr)} at ${port}\n`));
  }
}

/** Sends the greeting at once, and again after each read. */
async function serveConnection(connection: Deno.Conn, greeting: Uint8Array): Promise<void> {
  try {
    const buffer = new Uint8Array(200);
    do await connection.write(greeting); while (await connection.read(buffer) !== null);
  } catch {
    // The client has closed the connection.
  }
  connection.close();
}

async function serveUdp(name: string, hostname: string, port: number): Promise<void> {
  const socket: Datagrams = await bound(() => Deno.listenDatagram({ transport: "udp", hostname, port }));
  while (true) {
    const [, from] = await socket.receive();
    await socket.send(bytes(`${name} sees ${say(from)} at ${port}\n`), from);
  }
}

async function askTcp(hostname: string, port: number): Promise<string> {
  const connection = await Deno.connect({ hostname, port });
  const buffer = new Uint8Array(200);
  const length = await connection.read(buffer);
  connection.close();
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}

async function askUdp(hostname: string, port: number): Promise<string> {
  const own = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket: Datagrams = Deno.listenDatagram({ transport: "udp", hostname: own, port: 0 });
  await socket.send(bytes("?"), { transport: "udp", hostname, port });
  const [answer] = await socket.receive();
  return new TextDecoder().decode(answer);
}

async function ask(kind: string, hostname: string, port: number): Promise<string> {
  const answer = kind === "tcp" ? askTcp(hostname, port) : askUdp(hostname, port);
  return await inTime(answer.catch(() => "refused"));
}

async function inTime(answer: Promise<string>): Promise<string> {
  const silence = new Promise<string>((resolve) => setTimeout(() => resolve("silence"), ANSWER_MS));
  return await Promise.race([answer, silence]);
}

async function streamTcp(hostname: string, port: number): Promise<Ask> {
  const connection = await Deno.connect({ hostname, port });
  const buffer = new Uint8Array(200);
  let isFirst = true;
  return async () => {
    if (!isFirst) await connection.write(bytes("?"));
    isFirst = false;
    const length = await connection.read(buffer);
    return length === null ? "ended" : new TextDecoder().decode(buffer.subarray(0, length));
  };
}

function streamUdp(hostname: string, port: number): Ask {
  const own = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket: Datagrams = Deno.listenDatagram({ transport: "udp", hostname: own, port: 0 });
  // A request that timed out receives the next answer.
  let receiving: Promise<string> | undefined;
  const receive = async (): Promise<string> => {
    const [answer] = await socket.receive();
    receiving = undefined;
    return new TextDecoder().decode(answer);
  };
  return async () => {
    await socket.send(bytes("?"), { transport: "udp", hostname, port });
    return await (receiving ??= receive());
  };
}

/** Sends one request and returns the answer. */
type Ask = () => Promise<string>;

async function stream(kind: string, hostname: string, port: number): Promise<void> {
  const once = kind === "tcp" ? await streamTcp(hostname, port) : streamUdp(hostname, port);
  const buffer = new Uint8Array(1);
  while (await Deno.stdin.read(buffer) !== null) {
    const answer = await inTime(once().catch(() => "ended"));
    await Deno.stdout.write(bytes(`${answer.trimEnd()}\n`));
  }
}

if (import.meta.main) {
  const [what, ...rest] = Deno.args;
  if (what === "serve") {
    const [name = "", hostname = "", ...ports] = rest;
    await Promise.all(
      ports.map(Number).flatMap((port) => [serveTcp(name, hostname, port), serveUdp(name, hostname, port)]),
    );
  } else if (what === "stream") {
    const [kind = "", hostname = "", port] = rest;
    await stream(kind, hostname, Number(port));
    Deno.exit(0);
  } else {
    const [kind = "", hostname = "", port] = rest;
    await Deno.stdout.write(bytes((await ask(kind, hostname, Number(port))).trimEnd()));
    Deno.exit(0);
  }
}
