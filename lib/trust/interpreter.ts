/**
 * Programs that run what their arguments say, and the paths that arguments name: a value of the call must not become
 * code, and a script that a program is given is as much a program as the program itself.
 * @module
 */
import type { ProgramWords } from "./program_words.ts";

/** Shells: every argument can be code. */
const SHELLS = /^(r?bash|sh|dash|ash|[lm]?ksh|posh|yash|sash|zsh|fish|csh|tcsh)[\d.]*$/;
/** Programs that run the program named by their arguments, some with a shell. */
// deno-fmt-ignore
const WRAPPERS =
  /^(autossh|batch|busybox|bwrap|capsh|catchsegv|cgexec|choom|chpst|chroot|chrt|dbus-launch|dbus-run-session|doas|env|eval|fakeroot|find|firejail|flock|gdb|gosu|ionice|ld-linux[\w.-]*|ld\.so[\d.]*|linux32|linux64|ltrace|machinectl|nice|nohup|nsenter|numactl|parallel|perf|pkexec|prlimit|proot|run-parts|runcon|runuser|screen|script|setarch|setpriv|setsid|sg|ssh|sshpass|start-stop-daemon|stdbuf|strace|su|su-exec|sudo|systemd-inhibit|systemd-nspawn|systemd-run|taskset|time|timeout|tmux|unshare|valgrind|watch|xargs)$/;
/** Programs with a language of their own, which any of their arguments can be written in or can be a file of. */
const LANGUAGES =
  /^(awk|gawk|mawk|nawk|original-awk|sed|bc|dc|ed|ex|expect|gmake|m4|make|socat|sqlite3|vi|vim|view|wish)[\d.]*$/;
/** Of these, names that an administrator may well give a program of their own: only the system's are meant. */
const WORDS = /^(batch|ed|ex|expect|make|perf|screen|script|sg|time|view|watch)$/;
const SYSTEM_PROGRAM = /^\/(usr\/)?s?bin\/[^/]+$/;
/** Interpreters, each with the options that code follows, in the next argument or glued to the option. */
const INTERPRETERS: readonly { readonly name: RegExp; readonly code: RegExp }[] = [
  { name: /^(python|pypy)[\d.]*$/, code: /^-[A-Za-z]*c/ },
  { name: /^perl[\d.]*$/, code: /^-[A-Za-z\d]*[eEmM]/ },
  { name: /^ruby[\d.]*$/, code: /^-[A-Za-z\d]*[er]/ },
  { name: /^(node|nodejs|bun|deno)[\d.]*$/, code: /^(-[a-z]*[epr]|--(eval|import|print|require)(=|$)|eval$)/ },
  { name: /^php[\d.]*$/, code: /^(-[a-z]*[rBRE]|--(run|process-begin|process-code|process-end)(=|$))/ },
  { name: /^(lua|luajit)[\d.]*$/, code: /^-[el]/ },
  { name: /^(tclsh|guile|Rscript|osascript|jshell|java)[\d.]*$/, code: /^(-[a-z]*[ec]|--(eval|expression)(=|$))/ },
];
/** Programs for which a folder is a list of programs, or of files that say what to run. */
const RUNS_FOLDERS = /^(run-parts|make|gmake)$/;

function nameOf(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

/** Whether a program is a shell, by its name. */
export function isShell(program: string): boolean {
  return SHELLS.test(nameOf(program));
}

/**
 * Whether any of these arguments may be run as code, by the program or by one that it is told to run. So is a script that an
 * interpreter is given: `filled` are the places of the words with values of the call.
 */
export function takesInlineCode({ argv, filled }: ProgramWords): boolean {
  return argv.some((word, index) => {
    if (runsAnyWord(word, index, argv)) return true;
    const interpreter = interpreterOf(word);
    if (interpreter === undefined) return false;
    const script = argv.findIndex((argument, at) => at > index && !argument.startsWith("-"));
    return filled.includes(script) || argv.slice(index + 1).some((argument) => interpreter.code.test(argument));
  });
}

/** Whether one of these words, the program or an argument, names a program that runs files which later arguments name. */
export function runsArguments(words: readonly string[]): boolean {
  return words.some((word, index) => runsAnyWord(word, index, words) || interpreterOf(word) !== undefined);
}

function runsAnyWord(word: string, index: number, argv: readonly string[]): boolean {
  const name = nameOf(word);
  if (SHELLS.test(name)) return true;
  // As a mere word, "find" or "watch" may mean anything to a program.
  if (index > 0 && !word.startsWith("/")) return false;
  if (WORDS.test(name) && !SYSTEM_PROGRAM.test(word)) return false;
  return WRAPPERS.test(name) || LANGUAGES.test(name) || (name === "ip" && argv.includes("exec"));
}

function interpreterOf(word: string): (typeof INTERPRETERS)[number] | undefined {
  const name = nameOf(word);
  return INTERPRETERS.find((one) => one.name.test(name));
}

/** Whether a program runs what it finds in the folders that its arguments name. */
export function runsFolders(program: string): boolean {
  return RUNS_FOLDERS.test(nameOf(program));
}

/** A path in an argument. */
export interface NamedPath {
  /** Absolute; programs start in the root folder. */
  readonly path: string;
  /**
   * `file`: the argument or a value in it is the path. `folder`: programs or libraries are looked for there.
   * `code`: a word in a longer text, which a shell may run.
   */
  readonly kind: "file" | "folder" | "code";
}

/** Variables and options whose value is a list of folders, or of libraries. */
const SEARCH = /(PATH|LIB|PRELOAD|^-I)$/;

/**
 * The paths in a text that may be code: every word with a slash, as programs start in the root folder. A folder that the text
 * changes to, or searches, is where it finds what it runs.
 */
function pathsInText(text: string): readonly NamedPath[] {
  const words = text.split(/[\s;|&<>()"'`$={}]+/).filter((path) => path.includes("/"));
  const entered = text.matchAll(
    /(?<![\w./-])(?:cd|chdir|pushd)\s+(?:-\S*\s+)*["']?([^\s;|&<>()"'`$-][^\s;|&<>()"'`]*)/g,
  )
    .map(([, path = ""]) => path);
  const searched = text.matchAll(/(\w+)=["']?([^\s;|&<>()"'`]+)/g)
    .flatMap(([, name = "", value = ""]) => SEARCH.test(name) ? value.split(":") : []).filter((path) =>
      path.startsWith("/")
    );
  return [
    ...words.map((path) => ({ path, kind: "code" }) as const),
    ...[...entered, ...searched].map((path) => ({ path, kind: "folder" }) as const),
  ];
}

/**
 * The paths that an argument names, wherever they are in it: `/path`, `-f/path`, `-fpath/file`, `--file=/path`,
 * `NAME=/path:/path`, and the paths in a text with spaces.
 */
export function namedPaths(word: string): readonly NamedPath[] {
  const found: NamedPath[] = [{ path: word, kind: "file" }];
  for (const glued of [/^(-[^=/]+)(\/.*)$/s, /^(-[A-Za-z])([^=/\-][^=/]*\/.*)$/s]) {
    const [, option = "", value = ""] = glued.exec(word) ?? [];
    if (value !== "") found.push({ path: value, kind: SEARCH.test(option) ? "folder" : "file" });
  }
  let name = "";
  for (let at = word.indexOf("="); at !== -1; at = word.indexOf("=", at + 1)) {
    name = word.slice(0, at);
    found.push({ path: word.slice(at + 1), kind: "file" });
  }
  if (name !== "" || /[:,]/.test(word)) {
    const kind = SEARCH.test(name) ? "folder" : "file";
    found.push(...word.split(/[=:,]/).slice(name === "" ? 0 : 1).map((path) => ({ path, kind }) as const));
  }
  if (/[\s;|&<>()`]/.test(word)) found.push(...pathsInText(word));
  const absolute = found.filter(({ path }) => path !== "")
    .map(({ path, kind }) => ({ path: path.startsWith("/") ? path : `/${path}`, kind }));
  return [...new Map(absolute.map((one) => [`${one.kind} ${one.path}`, one])).values()];
}
