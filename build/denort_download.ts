/**
 * Deno's own download of denort: tried with a program of one line.
 *
 * Deno waits minutes for a network that swallows everything. So when it says where it is downloading from, that address
 * is asked as well, and silence ends the attempt in seconds. A slow network that answers gets its time.
 * @module
 */
import { BuildError } from "./build_error.ts";
import { cutAtElfEnd, denortPackage } from "./denort_packages.ts";
import { parseElfHeader } from "./elf.ts";
import { denoCause, denoEnvironment, denoErrorLine } from "./subprocess.ts";
import { machineName, type Target, TARGETS } from "./target.ts";

const ANSWER_TIMEOUT_MS = 6_000;
const DOWNLOAD_TIMEOUT_MS = 600_000;

/** What came of the attempt. */
export type Download =
  /** denort itself, verified. */
  | { readonly kind: "denort"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Deno has it in its own cache and uses it when it is given none. */
  | { readonly kind: "kept-by-deno" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Lets Deno fetch its denort for `target`, working in the empty folder `folder`.
 *
 * @throws {BuildError} When the denort that Deno fetched is not the one it must be.
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
  return await verified(await Deno.readFile(program), target);
}

async function verified(program: Uint8Array<ArrayBuffer>, target: Target): Promise<Download> {
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

/** Compiles, watching for silence on the network. Returns why it failed, or nothing. */
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
  const end: { stderr: string; silence: string | undefined; isWatched: boolean } = {
    stderr: "",
    silence: undefined,
    isWatched: false,
  };
  function stop(reason: string): void {
    end.silence ??= reason;
    child.kill("SIGKILL");
  }
  const timer = setTimeout(() => stop(`no end after ${DOWNLOAD_TIMEOUT_MS / 1000} s`), DOWNLOAD_TIMEOUT_MS);
  const watching = new AbortController();
  try {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      end.stderr += text;
      const url = end.stderr.match(/Download (https:\S+)\s/)?.[1];
      if (url === undefined || end.isWatched) continue;
      end.isWatched = true;
      watchForSilence(url, watching.signal, stop);
    }
    const { code } = await child.status;
    if (code === 0) return undefined;
    return end.silence ?? denoCause(end.stderr) ?? denoErrorLine(end.stderr);
  } finally {
    clearTimeout(timer);
    watching.abort();
  }
}

/** Asks the address for nothing but a sign of life, and calls `stop` when there is none. */
async function watchForSilence(
  url: string,
  over: AbortSignal,
  stop: (reason: string) => void,
): Promise<void> {
  try {
    const patience = AbortSignal.any([over, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const response = await fetch(url, { method: "HEAD", signal: patience });
    await response.body?.cancel();
  } catch (error) {
    // Any other failure Deno meets as well, and tells better.
    if (!over.aborted && error instanceof DOMException && error.name === "TimeoutError") {
      stop(`no answer from ${new URL(url).host} within ${ANSWER_TIMEOUT_MS / 1000} s`);
    }
  }
}
