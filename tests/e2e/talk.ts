/**
 * A server that says who it is and whom it sees, and a client that asks it: run as programs of their own, in any network
 * namespace.
 *
 *   talk.ts serve NAME HOST PORT...          TCP and UDP, until it is killed
 *   talk.ts ask tcp|udp HOST PORT            prints the answer, `refused` or `silence`
 * @module
 */
const ANSWER_MS = 1_500;

/** What of a socket for datagrams is used here; the types of Deno's unstable part are not there by default. */
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

async function serveTcp(name: string, hostname: string, port: number): Promise<void> {
  for await (const connection of Deno.listen({ hostname, port })) {
    await connection.write(bytes(`${name} sees ${say(connection.remoteAddr)} at ${port}\n`)).catch(() => 0);
    connection.close();
  }
}

async function serveUdp(name: string, hostname: string, port: number): Promise<void> {
  const socket: Datagrams = Deno.listenDatagram({ transport: "udp", hostname, port });
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
  const silence = new Promise<string>((resolve) => setTimeout(() => resolve("silence"), ANSWER_MS));
  const answer = kind === "tcp" ? askTcp(hostname, port) : askUdp(hostname, port);
  return await Promise.race([answer.catch(() => "refused"), silence]);
}

if (import.meta.main) {
  const [what, ...rest] = Deno.args;
  if (what === "serve") {
    const [name = "", hostname = "", ...ports] = rest;
    await Promise.all(
      ports.map(Number).flatMap((port) => [serveTcp(name, hostname, port), serveUdp(name, hostname, port)]),
    );
  } else {
    const [kind = "", hostname = "", port] = rest;
    await Deno.stdout.write(bytes((await ask(kind, hostname, Number(port))).trimEnd()));
    Deno.exit(0);
  }
}
