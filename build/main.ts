/**
 * `deno task build`: compiles the hooks and the admin command into `dist/TARGET`.
 * @module
 */
import { build } from "./build.ts";
import { BuildError, messageOf, UsageError } from "./build_error.ts";
import { parseBuildOptions, USAGE } from "./options.ts";
import { progressLine } from "./progress.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs the command and returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const parsed = parseBuildOptions(args);
    if (parsed.kind === "help") {
      print(Deno.stdout, USAGE);
      return 0;
    }
    await build({
      root: ROOT,
      targets: parsed.targets,
      out: parsed.out === undefined ? undefined : absolute(parsed.out),
      denort: parsed.denort ?? Deno.env.get("DENORT_BIN"),
      onProgress: (event) => {
        const line = progressLine(event);
        if (line !== undefined) print(Deno.stderr, `${line}\n`);
      },
    });
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof UsageError || error instanceof BuildError) {
    print(Deno.stderr, `error: ${error.message}\nhint: ${error.hint}\n`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
  print(Deno.stderr, `error: Cannot build: ${messageOf(error)}\n`);
  return EXIT_FAILED;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

function print(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += stream.writeSync(bytes.subarray(written));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
