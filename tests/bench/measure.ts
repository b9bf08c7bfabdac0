/**
 * Runs inside the private root, by itself: calls programs as libvirt does, one after the other in rounds, and prints how
 * long each took and how much memory it used. It has no imports, since nothing else is there.
 * @module
 */

/** One program to measure. */
export interface Contender {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** It must end with this one, else nothing is measured. */
  readonly exitCode: number;
  /** Called behind each call that is measured, and not measured itself: so that each finds the same host. */
  readonly undo?: readonly [string, ...string[]];
}

/** What to measure. */
export interface Order {
  readonly contenders: readonly Contender[];
  readonly environment: Readonly<Record<string, string>>;
  /** What each program finds on its stdin. */
  readonly stdinPath: string;
  readonly warmUpRounds: number;
  readonly rounds: number;
  readonly memoryRounds: number;
  /** How many are called at once, each about a guest of its own; measured is when the last has ended. */
  readonly atOnce: number;
}

/** What was measured of a program: the milliseconds of each round, and its most resident memory. */
export interface Measured {
  readonly name: string;
  readonly durationsMs: readonly number[];
  readonly memoryKb: number | undefined;
}

const MEMORY_LOOKS_MIN = 2;
/** The guest that calls and documents name. */
const GUEST = "web-1";

/** Measures in rounds: in each, every program once, so that what else the machine does hits all alike. */
async function measure(order: Order): Promise<readonly Measured[]> {
  const { contenders, warmUpRounds, rounds, memoryRounds } = order;
  const durationsMs = contenders.map((): number[] => []);
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      // Each round begins with another program: whoever comes after a big one has no advantage.
      const index = (round + turn) % contenders.length;
      const contender = contenders[index];
      if (contender === undefined) continue;
      const durationMs = await callAtOnce(contender, order);
      if (round >= warmUpRounds) durationsMs[index]?.push(durationMs);
    }
  }
  const measured: Measured[] = [];
  for (const [index, contender] of contenders.entries()) {
    let memoryKb: number | undefined;
    for (let round = 0; round < memoryRounds; round++) {
      const { memoryKb: seen } = await call(contender, order, { memory: true });
      if (contender.undo !== undefined) await call({ ...contender, argv: contender.undo, exitCode: 0 }, order, {});
      if (seen !== undefined) memoryKb = Math.max(memoryKb ?? 0, seen);
    }
    measured.push({ name: contender.name, durationsMs: durationsMs[index] ?? [], memoryKb });
  }
  return measured;
}

/** Calls a program for each of the guests, and undoes it. */
async function callAtOnce(contender: Contender, order: Order): Promise<number> {
  const { undo } = contender;
  const guests = Array.from({ length: order.atOnce }, (_, index) => index);
  const startedMs = performance.now();
  await Promise.all(guests.map((guest) => call(contender, order, { guest })));
  const durationMs = performance.now() - startedMs;
  if (undo !== undefined) {
    await Promise.all(guests.map((guest) => call({ ...contender, argv: undo, exitCode: 0 }, order, { guest })));
  }
  return durationMs;
}

interface Called {
  readonly durationMs: number;
  readonly memoryKb: number | undefined;
}

/** Calls a program; it is over, as for libvirt, when its output is at its end and the process, too. */
async function call(
  { argv: [program, ...args], exitCode }: Contender,
  { environment, stdinPath }: Order,
  { guest = 0, memory = false }: { readonly guest?: number; readonly memory?: boolean },
): Promise<Called> {
  const document = documentOf(Deno.readFileSync(stdinPath), guest);
  const startedMs = performance.now();
  const child = new Deno.Command(program, {
    ...{
      args: args.map((word) => word === GUEST ? nameOf(guest) : word),
      cwd: "/",
      env: { ...environment },
      clearEnv: true,
    },
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const watched = memory ? watchMemory(child.pid) : undefined;
  const fed = feed(child, document);
  const { code, stderr } = await child.output();
  const durationMs = performance.now() - startedMs;
  await fed;
  if (code !== exitCode) {
    throw new Error(`Cannot measure ${program}: exit ${code}, not ${exitCode}: ${new TextDecoder().decode(stderr)}`);
  }
  return { durationMs, memoryKb: await watched };
}

/** The guest of the document, and those that are like it but for name and UUID. */
function nameOf(guest: number): string {
  return guest === 0 ? GUEST : `${GUEST}${guest}`;
}

function documentOf(bytes: Uint8Array<ArrayBuffer>, guest: number): Uint8Array<ArrayBuffer> {
  if (guest === 0) return bytes;
  const digits = String(guest).padStart(4, "0");
  const text = new TextDecoder().decode(bytes).replace(/(<uuid>.*).{4}(<\/uuid>)/, `$1${digits}$2`);
  return new TextEncoder().encode(text.replace(`<name>${GUEST}</name>`, `<name>${nameOf(guest)}</name>`));
}

/** Writes stdin. A program may end without reading it; whether all went well, its exit code tells. */
async function feed(child: Deno.ChildProcess, document: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(document);
    await writer.close();
  } catch {
    // The pipe is closed at its other end.
  }
}

/**
 * The high-water mark that the kernel keeps, read again and again until the process has ended; nothing for one that is
 * over before it could be read a few times.
 */
async function watchMemory(pid: number): Promise<number | undefined> {
  const own = Deno.readLinkSync("/proc/self/exe");
  const seenKb: number[] = [];
  while (true) {
    const seen = readMemory(pid, own);
    if (seen === "ended") return seenKb.length < MEMORY_LOOKS_MIN ? undefined : seenKb.at(-1);
    if (seen !== undefined) seenKb.push(seen);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** `undefined` as long as the process is still a copy of this one. */
function readMemory(pid: number, own: string): number | undefined | "ended" {
  try {
    if (Deno.readLinkSync(`/proc/${pid}/exe`) === own) return undefined;
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
    return kilobytes === undefined ? "ended" : Number(kilobytes);
  } catch {
    // It has ended, or is a zombie.
    return "ended";
  }
}

if (import.meta.main) {
  const order: Order = JSON.parse(Deno.readTextFileSync(Deno.args[0] ?? ""));
  const text = JSON.stringify(await measure(order));
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
