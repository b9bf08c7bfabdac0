/**
 * The test command, `deno task test [WORD...] [--filter TEXT]`: runs all stages or those that the words name, reports
 * failures at once and keeps the output of each test file below `dist/test-logs`. Ends with one line of counts.
 * With `CI=true` a skipped test is a failure: something that the run needs is missing.
 * @module
 */
import { createReporter, hasSucceeded } from "./runner/report.ts";
import { runStages } from "./runner/run_stages.ts";
import { knownWords, type Selection, selectStages, type Stage } from "./runner/stages.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const LOGS = "dist/test-logs";
/** More than two stages at once make tests with real daemons slow, and these wait only for so long. */
const STAGES_AT_ONCE_MAX = 2;

/** All test files, relative to `tests/`, sorted. */
export function listTestFiles(folder = ""): readonly string[] {
  const entries = [...Deno.readDirSync(`${ROOT}tests/${folder}`)];
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return listTestFiles(`${folder}${name}/`);
    return name.endsWith("_test.ts") ? [`${folder}${name}`] : [];
  }).toSorted();
}

function helpText(): string {
  return `deno task test [WORD...] [--filter TEXT]

Runs all stages, or those that the words name. A word is a stage, a folder or a file below tests/:
  ${knownWords(listTestFiles()).join(" ")}

Options:
  --filter TEXT   run only tests whose name contains TEXT, or matches it if it is /a regular expression/
  --help          print this text

The output of each test file is kept in ${LOGS}/STAGE/.
Exit codes: 0 all passed, 1 a test failed or none was run (with CI=true also: one was skipped), 2 wrong usage.
`;
}

function parseArguments(args: readonly string[]): Selection {
  const words: string[] = [];
  let filter: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    const [, inline] = /^--filter=([^]*)$/.exec(arg) ?? [];
    if (inline !== undefined) filter = inline;
    else if (arg === "--filter") filter = args[++index];
    else if (arg.startsWith("-")) throw new RangeError(`Cannot run the tests: unknown option ${arg}`);
    else words.push(arg);
    if ((inline !== undefined || arg === "--filter") && !filter) {
      throw new RangeError("Cannot run the tests: --filter needs a text");
    }
  }
  return { words, filter };
}

/** Prints to stdout. */
function write(text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    write(helpText());
    return 0;
  }
  let stages: readonly Stage[];
  let selection: Selection;
  try {
    selection = parseArguments(args);
    stages = selectStages(selection, listTestFiles());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    write(`${error.message}\nhint: deno task test --help\n`);
    return 2;
  }
  const isFiltered = selection.filter !== undefined;
  const isCi = Deno.env.get("CI") === "true";
  const columns = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : undefined;
  const reporter = createReporter({ write, columns, now: () => performance.now() / 1000 });
  const timer = setInterval(reporter.tick, 1000);
  const results = await runStages(stages, {
    ...{ root: ROOT, logs: LOGS, isFiltered, listener: reporter },
    stagesAtOnce: Math.min(STAGES_AT_ONCE_MAX, navigator.hardwareConcurrency),
  });
  clearInterval(timer);
  reporter.end(results, { isCi, isFiltered });
  return hasSucceeded(results, isCi) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
