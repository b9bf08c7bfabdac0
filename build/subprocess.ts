/**
 * Runs programs, with a time limit and an explicit environment.
 * @module
 */

/** Options for {@linkcode runProgram}. */
export interface ProgramOptions {
  readonly args: readonly string[];
  /** The working directory. */
  readonly folder: string;
  /** The complete environment, or `"inherit"` for tools that the user configures with it. */
  readonly environment: Readonly<Record<string, string>> | "inherit";
  readonly timeoutMs: number;
}

/** The result of a program. */
export interface ProgramResult {
  readonly code: number;
  readonly timedOut: boolean;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: string;
}

/** Variables that tell Deno where its files are. */
const PLACE_VARIABLES = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME"] as const;

/** Variables that tell Deno how to reach the network and a package registry. */
const NETWORK_VARIABLES = [
  "DENO_TLS_CA_STORE",
  "DENO_CERT",
  "DENO_AUTH_TOKENS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NPM_CONFIG_REGISTRY",
  "NPM_CONFIG_USERCONFIG",
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
] as const;

/** Variables that turn off Deno's colours and its check for a newer version. */
const PLAIN = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" } as const;

/**
 * Returns the environment for Deno. It contains only the variables listed here, because Deno embeds some others (such as
 * `OTEL_DENO`) in what it compiles.
 */
export function denoEnvironment(network: "network" | "no network"): Readonly<Record<string, string>> {
  const names = network === "network" ? [...PLACE_VARIABLES, ...NETWORK_VARIABLES] : PLACE_VARIABLES;
  const kept = names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), ...PLAIN };
}

/**
 * Runs a program to its end, or kills it at the time limit.
 *
 * @throws {Deno.errors.NotFound} When there is no such program.
 */
export async function runProgram(program: string, options: ProgramOptions): Promise<ProgramResult> {
  const inherit = options.environment === "inherit";
  const child = new Deno.Command(program, {
    args: [...options.args],
    cwd: options.folder,
    clearEnv: !inherit,
    env: options.environment === "inherit" ? {} : { ...options.environment },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const clock = { timedOut: false };
  const timer = setTimeout(() => {
    clock.timedOut = true;
    child.kill("SIGKILL");
  }, options.timeoutMs);
  try {
    const { code, stdout, stderr } = await child.output();
    return { code, timedOut: clock.timedOut, stdout, stderr: new TextDecoder().decode(stderr) };
  } finally {
    clearTimeout(timer);
  }
}

/** Finds a program in the absolute folders of `PATH`. */
export async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":").filter((part) => part.startsWith("/"))) {
    const path = `${folder}/${name}`;
    const facts = await Deno.stat(path).catch(() => undefined);
    if (facts?.isFile && ((facts.mode ?? 0) & 0o111) !== 0) return path;
  }
  return undefined;
}

/**
 * Summarizes Deno's error output in one line: the `error:` line and the innermost cause, without the stack that some
 * versions print.
 */
export function denoErrorLine(stderr: string): string {
  const lines = errorLines(stderr);
  const error = lines.find((line) => line.startsWith("error:"))?.slice("error:".length).trim();
  const cause = denoCause(stderr);
  return error === undefined ? lines.at(-1) ?? "no message" : cause === undefined ? error : `${error}: ${cause}`;
}

/** Returns the innermost cause in Deno's error output, if there is one. */
export function denoCause(stderr: string): string | undefined {
  return errorLines(stderr).findLast((line) => /^\d+: /.test(line))?.replace(/^\d+: /, "");
}

function errorLines(stderr: string): readonly string[] {
  // deno-lint-ignore no-control-regex
  const lines = stderr.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n").map((line) => line.trim());
  const stack = lines.findIndex((line) => line.startsWith("Stack backtrace"));
  return (stack === -1 ? lines : lines.slice(0, stack)).filter((line) => line !== "");
}
