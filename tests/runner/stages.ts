/**
 * The stages of the test command, and which of them the words of a command line mean. The folders of `tests/` are read:
 * a new folder with tests belongs to the unit tests unless a stage below names it.
 * @module
 */

/** Runs one command: a program that checks something, or `deno test` with some files. */
export interface Job {
  /** The name of the log file. */
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** How many test files it runs; 0 for a command that counts as one test. */
  readonly files: number;
}

/** A part of a run. */
export interface Stage {
  /** The word on the command line, and the name of the log folder. */
  readonly id: string;
  readonly title: string;
  /** Whether no other stage may run meanwhile. */
  readonly isExclusive: boolean;
  /** Whether later stages are of no use when it fails. */
  readonly isRequired: boolean;
  /** Run one after the other. */
  readonly jobs: readonly Job[];
}

/** What to run. */
export interface Selection {
  /** Names of stages, sets of stages, folders and files below `tests/`; all stages if empty. */
  readonly words: readonly string[];
  /** Runs only tests whose name contains this text, or matches it if it is `/a regular expression/`. */
  readonly filter?: string | undefined;
}

interface TestStage {
  readonly id: string;
  readonly title: string;
  /** Folders of `tests/`; the unit tests have all that no other stage names. */
  readonly folders?: readonly string[];
  /** Whether it tests the compiled binaries. */
  readonly needsBuild: boolean;
  /** Whether it changes the machine, or would suffer from the load of another stage. */
  readonly isExclusive: boolean;
  /** One `deno test` for all files is quicker; one a file gives the errors, and a log, when the file has ended. */
  readonly processes: "one" | "one a file";
}

/** The lock file is named here: naming it in deno.json would make every task wait for packages that it may not need. */
const LOCKED = ["--lock=deno.lock", "--frozen"];

const CHECKS: readonly Stage[] = [
  checkStage("format", "format", ["fmt", "--check", "--quiet"]),
  checkStage("lint", "lint", ["lint", "--quiet"]),
  checkStage("types", "types", ["check", "--quiet", ...LOCKED, "."]),
];

const COMPILE: Stage = {
  ...checkStage("compile", "compile the binaries", ["run", "-A", ...LOCKED, "--no-check", "build/main.ts"]),
  isExclusive: true,
  isRequired: true,
};

const UNIT: TestStage = { id: "unit", title: "unit", needsBuild: false, isExclusive: false, processes: "one" };

/** In the order of a run. Stages that are not exclusive may run two at a time. */
const TEST_STAGES: readonly TestStage[] = [
  UNIT,
  {
    ...{ id: "build", title: "build", folders: ["build"] },
    ...{ needsBuild: true, isExclusive: false, processes: "one a file" },
  },
  {
    ...{ id: "golden", title: "golden stories", folders: ["golden", "support"] },
    ...{ needsBuild: true, isExclusive: false, processes: "one a file" },
  },
  {
    ...{ id: "examples", title: "examples and documentation", folders: ["examples", "docs"] },
    ...{ needsBuild: true, isExclusive: false, processes: "one a file" },
  },
  {
    ...{ id: "install", title: "install.sh", folders: ["install"] },
    ...{ needsBuild: true, isExclusive: false, processes: "one a file" },
  },
  {
    ...{ id: "stress", title: "many hooks at once, on this kernel", folders: ["stress"] },
    ...{ needsBuild: true, isExclusive: true, processes: "one a file" },
  },
  {
    ...{ id: "e2e", title: "end to end, with libvirtd", folders: ["e2e"] },
    ...{ needsBuild: true, isExclusive: true, processes: "one a file" },
  },
  {
    ...{ id: "systemd", title: "systemd, in nspawn and in a guest", folders: ["systemd"] },
    ...{ needsBuild: true, isExclusive: true, processes: "one a file" },
  },
  {
    ...{ id: "passthrough", title: "passthrough, in a guest with an IOMMU", folders: ["passthrough"] },
    ...{ needsBuild: true, isExclusive: true, processes: "one a file" },
  },
];

const CHECK_IDS = CHECKS.map(({ id }) => id);
const TEST_IDS = TEST_STAGES.map(({ id }) => id);

/** Words that mean several stages. */
const SETS: Readonly<Record<string, readonly string[]>> = {
  all: [...CHECK_IDS, ...TEST_IDS],
  ok: [...CHECK_IDS, "unit"],
  build: ["compile", "build", "examples"],
};

/**
 * Returns the stages to run, in their order; the binaries are compiled before the first stage that needs them.
 * `testFiles` are all test files, relative to `tests/`.
 *
 * @throws {RangeError} if a word means nothing.
 */
export function selectStages({ words, filter }: Selection, testFiles: readonly string[]): readonly Stage[] {
  const stageIds = new Set<string>();
  const chosen = new Set<string>();
  for (const word of words.length === 0 ? ["all"] : words) {
    const ids = SETS[word] ?? ([...CHECK_IDS, "compile", ...TEST_IDS].includes(word) ? [word] : []);
    for (const id of ids) stageIds.add(id);
    const path = word.replace(/^tests\//, "").replace(/\/$/, "");
    const files = ids.length > 0 ? [] : testFiles.filter((file) => file === path || file.startsWith(`${path}/`));
    for (const file of files) chosen.add(file);
    if (ids.length === 0 && files.length === 0) throw new RangeError(unknownWord(word, testFiles));
  }
  const tests = TEST_STAGES.map((stage) => ({
    stage,
    files: testFiles.filter((file) => stageOf(file) === stage && (stageIds.has(stage.id) || chosen.has(file))),
  })).filter(({ stage, files }) => files.length > 0 || stageIds.has(stage.id));
  // With a filter only tests are meant.
  const checks = filter === undefined ? CHECKS.filter(({ id }) => stageIds.has(id)) : [];
  const first = tests.findIndex(({ stage }) => stage.needsBuild);
  const [before, after] = first === -1 ? [tests, []] : [tests.slice(0, first), tests.slice(first)];
  const compile = first !== -1 || stageIds.has("compile") ? [COMPILE] : [];
  const toStage = ({ stage, files }: (typeof tests)[number]): Stage => testStage(stage, files, filter);
  return [...checks, ...before.map(toStage), ...compile, ...after.map(toStage)];
}

/** All words that {@linkcode selectStages} knows beside the paths of files. */
export function knownWords(testFiles: readonly string[]): readonly string[] {
  const folders = testFiles.map((file) => file.split("/")[0] ?? file);
  return [...new Set([...Object.keys(SETS), ...CHECK_IDS, "compile", ...TEST_IDS, ...folders])];
}

function unknownWord(word: string, testFiles: readonly string[]): string {
  return `Cannot run "${word}": it is neither a test file below tests/ nor one of ${knownWords(testFiles).join(", ")}`;
}

function stageOf(file: string): TestStage {
  const [folder = ""] = file.split("/");
  return TEST_STAGES.find(({ folders = [] }) => folders.includes(folder)) ?? UNIT;
}

function checkStage(id: string, title: string, args: readonly string[]): Stage {
  return { id, title, isExclusive: false, isRequired: false, jobs: [{ name: id, args, files: 0 }] };
}

function testStage(
  { id, title, isExclusive, processes }: TestStage,
  files: readonly string[],
  filter: string | undefined,
): Stage {
  const options = ["test", "-A", ...LOCKED, "--no-check", ...(filter === undefined ? [] : [`--filter=${filter}`])];
  const job = (name: string, own: readonly string[]): Job => ({
    name,
    args: [...options, ...own.map((file) => `tests/${file}`)],
    files: own.length,
  });
  const jobs = processes === "one" ? [job(id, files)] : files.map((file) => job(jobName(id, file), [file]));
  // Without a file Deno reports that the folder has no tests, and fails.
  const none: Job = { name: id, args: [...options, `tests/${id}`], files: 0 };
  return { id, title, isExclusive, isRequired: false, jobs: files.length === 0 ? [none] : jobs };
}

/** The job of `e2e/forward_test.ts` is `forward` in the stage `e2e`; in another stage it keeps the folder: `docs.commands`. */
function jobName(stageId: string, file: string): string {
  const own = file.startsWith(`${stageId}/`) ? file.slice(stageId.length + 1) : file;
  return own.replace(/_test\.ts$/, "").replaceAll("/", ".");
}
