/**
 * Plays a story in a private root, through the compiled programs, and returns what it observed.
 * @module
 */
import {
  type Bind,
  type CallResult,
  forOwnShell,
  openPrivateRoot,
  type Placed,
  type PrivateRoot,
  type Stdin,
} from "./private_root.ts";
import { HOOKS, type Story, type StoryCall, type StoryFile } from "./story.ts";

/** What a played story printed, changed and left behind. */
export interface Played {
  /** One for each call. */
  readonly results: readonly CallResult[];
  readonly history: string;
  /** `octal-mode uid` of the history, or empty without one. */
  readonly historyRights: string;
  /** The bytes afterwards at each path that the story names. */
  readonly after: Readonly<Record<string, Uint8Array<ArrayBuffer> | undefined>>;
  /** Command lines of the processes that remain. */
  readonly processes: readonly string[];
  /** Names that were added to or removed from `/tmp`. */
  readonly tmpChanges: readonly string[];
}

const HISTORY_PATH = "/var/log/virt-hooks/history.jsonl";
const COMMAND_PATH = "/opt/virt-hooks/virt-hooks";
const CALL_LIMIT_MS = 40_000;
/** The environment that libvirt's daemon gives a hook under systemd. */
const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" } as const;

// The private root's own processes run in /private; a zombie has no working directory.
const LIST_PROCESSES = `for process in /proc/[0-9]*; do
  case $(readlink "$process/cwd" || :) in '' | /private | /private/*) continue ;; esac
  tr '\\0' ' ' <"$process/cmdline"; echo
done`;

/** Receives each result as soon as the call has ended, with the root it ran in. */
export type CallObserver = (call: StoryCall, result: CallResult, root: PrivateRoot) => Promise<void>;

/**
 * Plays a story; `binaries` is the folder of one target below `dist`.
 * @throws {Error} if this machine refuses a private root, or the story cannot be played.
 */
export async function playStory(story: Story, binaries: string, observe?: CallObserver): Promise<Played> {
  const opened = await openPrivateRoot(programBinds(binaries));
  if (opened.kind === "refused") throw new Error(`Cannot make a private root: ${opened.reason}`);
  const { root } = opened;
  await using _root = root;
  await root.place(story.files.map((file) => placedFile(story, file)));
  await root.sh(story.before.join("\n"));
  const tmpBefore = await listTmp(root);
  const results: CallResult[] = [];
  for (const call of story.calls) {
    const result = await playCall(story, call, root);
    results.push(result);
    await observe?.(call, result, root);
  }
  return {
    results,
    history: await readHistory(root),
    historyRights: (await root.sh(`if [ -e ${HISTORY_PATH} ]; then stat -c '%a %u' ${HISTORY_PATH}; fi`)).trim(),
    after: await readAfter(story, root),
    processes: lines(await root.sh(LIST_PROCESSES)).map((line) => line.trim()),
    tmpChanges: [...tmpBefore.symmetricDifference(await listTmp(root))],
  };
}

/** Reads the history in a private root: JSON lines, empty without a history. */
export async function readHistory(root: PrivateRoot): Promise<string> {
  return new TextDecoder().decode(await root.read(HISTORY_PATH));
}

/** Returns the command line of a call inside the private root. */
export function commandLine(call: StoryCall): readonly [string, ...(string | Uint8Array)[]] {
  const program = call.program === "virt-hooks" ? COMMAND_PATH : `/etc/libvirt/hooks/${call.program}`;
  return [program, ...call.args.map(argument)];
}

function programBinds(binaries: string): readonly Bind[] {
  const hooks = HOOKS.map((name) => ({ from: `${binaries}/hooks/${name}`, at: `/etc/libvirt/hooks/${name}` }));
  return [...hooks, { from: `${binaries}/virt-hooks`, at: COMMAND_PATH }];
}

function placedFile(story: Story, file: StoryFile): Placed {
  if (!("from" in file)) return file;
  const { path, mode, ownerUid } = file;
  return { kind: "file", path, mode, content: forOwnShell(fileContent(story, file)), ownerUid: ownerUid ?? 0 };
}

/** Reads a file that a story names, with its replacements. @throws {Error} if there is none. */
export function fileContent(
  story: Story,
  { from, replace }: { readonly from: string; readonly replace: Readonly<Record<string, string>> },
): Uint8Array<ArrayBuffer> {
  const bytes = story.readFile(from);
  const replacements = Object.entries(replace);
  if (replacements.length === 0) return bytes;
  const text = new TextDecoder().decode(bytes);
  return new TextEncoder().encode(replacements.reduce((rest, [before, after]) => rest.replaceAll(before, after), text));
}

async function playCall(story: Story, call: StoryCall, root: PrivateRoot): Promise<CallResult> {
  if (call.files.length > 0) await root.place(call.files.map((file) => placedFile(story, file)));
  if (call.remove.length > 0) await root.sh(call.remove.map((path) => `rm '${path}'`).join("\n"));
  const user = call.asUid === undefined ? [] : ["unshare", "--user", `--map-user=${call.asUid}`, "--"];
  return await root.run({
    argv: [...user, ...commandLine(call)],
    environment: { ...ENVIRONMENT, ...call.environment },
    stdin: stdinOf(story, call),
    closed: call.closed,
    signals: call.signals,
    limitMs: CALL_LIMIT_MS,
  });
}

/** Returns an argument; in `{ "bytes": … }` each `\xNN` is one byte. */
function argument(word: StoryCall["args"][number]): string | Uint8Array {
  if (typeof word === "string") return word;
  const parts = word.bytes.split(/\\x([0-9a-f]{2})/);
  const bytes = parts.map((part, index) => index % 2 === 0 ? new TextEncoder().encode(part) : [parseInt(part, 16)]);
  return Uint8Array.from(bytes.flatMap((part) => [...part]));
}

const SPACE = 0x20;

function stdinOf(story: Story, call: StoryCall): Stdin {
  if (typeof call.stdin === "string") return { kind: call.stdin };
  if ("zeros" in call.stdin) return { kind: "zeros", byteCount: call.stdin.zeros };
  if ("texts" in call.stdin) {
    const text = call.stdin.texts.map(([part, times]) => part.repeat(times)).join("");
    return { kind: "bytes", bytes: new TextEncoder().encode(text) };
  }
  const { padding } = call.stdin;
  const file = fileContent(story, call.stdin);
  const bytes = new Uint8Array(file.length + padding).fill(SPACE);
  bytes.set(file);
  return { kind: "bytes", bytes };
}

async function readAfter(story: Story, root: PrivateRoot): Promise<Played["after"]> {
  const after: Record<string, Uint8Array<ArrayBuffer> | undefined> = {};
  for (const path of Object.keys(story.after)) after[path] = await root.read(path);
  return after;
}

async function listTmp(root: PrivateRoot): Promise<Set<string>> {
  return new Set(lines(await root.sh("ls -A /tmp")));
}

function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
