/**
 * Has Deno download denort, by compiling a program of one line.
 *
 * On a network that drops packets Deno waits for minutes. So when Deno prints the address that it downloads from, the
 * build sends a request there too, and stops Deno when no answer comes within seconds. A slow network that answers is
 * given the full time.
 * @module
 */
import { BuildError } from "../build_error.ts";
import { denoCause, denoEnvironment, denoErrorLine } from "../subprocess.ts";
import { machineName, parseElfHeader, type Target, TARGETS } from "../target.ts";
import { cutAtElfEnd, denortPackage } from "./packages.ts";

const ANSWER_TIMEOUT_MS = 6_000;
const DOWNLOAD_TIMEOUT_MS = 600_000;

/** The result of {@linkcode downloadDenort}. */
export type Download =
  /** The verified denort. */
  | { readonly kind: "denort"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Deno has denort in its cache and uses it when it is given none; its hash is unknown. */
  | { readonly kind: "kept-by-deno" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Has Deno fetch its denort for `target`. `folder` must be empty.
 *
 * @throws {BuildError} When the denort that Deno fetched has another hash or is for another machine.
 */
export async function downloadDenort(target: Target, folder: string): Promise<Download> {
  const program = `${folder}/probe`;
  await Deno.writeTextFile(`${folder}/probe.js`, "console.log(Deno.version.deno);\n");
  const failure = await compileWithDownload([
    "compile",
    ...["--no-check", "--no-config", "--no-lock", "--no-npm", "--no-code-cache", "--no-prompt"],
    ...["--target", target, "--output", program, `${folder}/probe.js`],
  ], folder);
  if (failure !== undefined) return { kind: "failed", reason: failure };
  return await extractDenort(await Deno.readFile(program), target);
}

async function extractDenort(program: Uint8Array<ArrayBuffer>, target: Target): Promise<Download> {
  const from = "Deno's own download";
  const hint = "clear Deno's cache (deno clean) and build again, or give a denort you trust with --denort FILE";
  const machine = parseElfHeader(program)?.machine;
  if (machine !== TARGETS[target].elfMachine) {
    const found = machine === undefined ? "no ELF file" : `for ${machineName(machine)}`;
    throw new BuildError(`Cannot use denort for ${target} from ${from}: it is ${found}`, hint);
  }
  const known = denortPackage(Deno.version.deno, target);
  if (known === undefined) return { kind: "kept-by-deno" };
  return { kind: "denort", bytes: await cutAtElfEnd(program, { sha256: known.denortSha256, from, hint }) };
}

/** Runs `deno compile` and stops it when the network does not answer. Returns the reason of a failure. */
async function compileWithDownload(args: readonly string[], folder: string): Promise<string | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    clearEnv: true,
    env: { ...denoEnvironment("network") },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let [stderr, isProbed] = ["", false];
  const stopped: { reason?: string } = {};
  function stop(reason: string): void {
    stopped.reason ??= reason;
    child.kill("SIGKILL");
  }
  const timer = setTimeout(() => stop(`no end after ${DOWNLOAD_TIMEOUT_MS / 1000} s`), DOWNLOAD_TIMEOUT_MS);
  const ended = new AbortController();
  try {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      stderr += text;
      const url = stderr.match(/Download (https:\S+)\s/)?.[1];
      if (url === undefined || isProbed) continue;
      isProbed = true;
      probe(url, ended.signal, stop);
    }
    const { code } = await child.status;
    if (code === 0) return undefined;
    return stopped.reason ?? denoCause(stderr) ?? denoErrorLine(stderr);
  } finally {
    clearTimeout(timer);
    ended.abort();
  }
}

/** Sends a HEAD request to `url` and calls `stop` when no answer comes in time. */
async function probe(url: string, ended: AbortSignal, stop: (reason: string) => void): Promise<void> {
  try {
    const signal = AbortSignal.any([ended, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const response = await fetch(url, { method: "HEAD", signal });
    await response.body?.cancel();
  } catch (error) {
    // Deno meets any other failure too, and reports it better.
    if (!ended.aborted && error instanceof DOMException && error.name === "TimeoutError") {
      stop(`no answer from ${new URL(url).host} within ${ANSWER_TIMEOUT_MS / 1000} s`);
    }
  }
}
