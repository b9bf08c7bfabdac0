/**
 * Plays a story in a private root, through the compiled programs, and tells what was seen.
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
} from "../support/private_root.ts";
import { readStoryFile, type Story, type StoryCall, type StoryFile } from "./story.ts";

/** What was seen while a story was played. */
export interface Played {
  /** One for each call. */
  readonly results: readonly CallResult[];
  readonly history: string;
  /** `octal-mode uid` of the history, or nothing where there is none. */
  readonly historyRights: string;
  /** The bytes afterwards at each path the story asks about. */
  readonly after: Readonly<Record<string, Uint8Array<ArrayBuffer> | undefined>>;
  /** Command lines of processes that live on. */
  readonly processes: readonly string[];
  /** Names that appeared in `/tmp`, or went. */
  readonly tmpChanges: readonly string[];
}

const HISTORY_PATH = "/var/log/virt-hooks/history.jsonl";
const COMMAND_PATH = "/opt/virt-hooks/virt-hooks";
const CALL_LIMIT_MS = 40_000;
/** What a daemon under systemd hands on. */
const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" } as const;

// Plumbing of the private root runs in /private; a zombie has no folder any more.
const LIST_PROCESSES = `for process in /proc/[0-9]*; do
  case $(readlink "$process/cwd" || :) in '' | /private | /private/*) continue ;; esac
  tr '\\0' ' ' <"$process/cmdline"; echo
done`;

/** Plays a story; `binaries` is the folder of one target below `dist`. @throws {Error} if it cannot be played. */
export async function playStory(story: Story, binaries: string): Promise<Played> {
  const opened = await openPrivateRoot(programBinds(binaries));
  if (opened.kind === "refused") throw new Error(`Cannot make a private root: ${opened.reason}`);
  await using root = opened.root;
  await root.place(story.files.map((file) => placedFile(story, file)));
  await root.sh(story.before.join("\n"));
  const tmpBefore = await listTmp(root);
  const results: CallResult[] = [];
  for (const call of story.calls) results.push(await playCall(story, call, root));
  return {
    results,
    history: new TextDecoder().decode(await root.read(HISTORY_PATH)),
    historyRights: (await root.sh(`if [ -e ${HISTORY_PATH} ]; then stat -c '%a %u' ${HISTORY_PATH}; fi`)).trim(),
    after: await readAfter(story, root),
    processes: lines(await root.sh(LIST_PROCESSES)).map((line) => line.trim()),
    tmpChanges: [...tmpBefore.symmetricDifference(await listTmp(root))],
  };
}

/** Where the compiled programs are shown. */
function programBinds(binaries: string): readonly Bind[] {
  const hooks = ["daemon", "qemu", "lxc", "libxl", "network"].map((name) => ({
    from: `${binaries}/hooks/${name}`,
    at: `/etc/libvirt/hooks/${name}`,
  }));
  return [...hooks, { from: `${binaries}/virt-hooks`, at: COMMAND_PATH }];
}

function placedFile(story: Story, file: StoryFile): Placed {
  if (!("from" in file)) return file;
  const { path, mode, ownerUid } = file;
  return { kind: "file", path, mode, content: forOwnShell(readStoryFile(story, file.from)), ownerUid: ownerUid ?? 0 };
}

async function playCall(story: Story, call: StoryCall, root: PrivateRoot): Promise<CallResult> {
  const program = call.program === "virt-hooks" ? COMMAND_PATH : `/etc/libvirt/hooks/${call.program}`;
  const user = call.asUid === undefined ? [] : ["unshare", "--user", `--map-user=${call.asUid}`, "--"];
  return await root.run({
    argv: [...user, program, ...call.args.map(argument)],
    environment: { ...ENVIRONMENT, ...call.environment },
    stdin: stdinOf(story, call),
    closed: call.closed,
    signals: call.signals,
    limitMs: CALL_LIMIT_MS,
  });
}

/** An argument; in `{ "bytes": … }` each `\xNN` is one byte. */
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
  const { from, padding } = call.stdin;
  const file = readStoryFile(story, from);
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
