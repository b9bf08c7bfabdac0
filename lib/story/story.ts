/**
 * The format of a story: the files on a host, the calls made there, and what they print, change and leave behind.
 * `tests/golden/README.md` is its reference. Pure: `story_folder.ts` reads stories, `player.ts` plays them.
 * @module
 */
import * as v from "valibot";

/** The programs that libvirt calls, one per driver. */
export const HOOKS = ["daemon", "qemu", "lxc", "libxl", "network"] as const;

const Octal = v.pipe(v.string(), v.regex(/^[0-7]{4}$/, "must be four octal digits"));
const Path = v.pipe(v.string(), v.startsWith("/"));
const Text = v.string();
/** Each key is replaced by its value, in order. */
const Replacements = v.optional(v.record(Text, Text), {});

const FileSchema = v.union([
  v.strictObject({
    path: Path,
    from: Text,
    replace: Replacements,
    mode: v.optional(Octal, "0644"),
    ownerUid: v.optional(v.number()),
  }),
  v.strictObject({ path: Path, kind: v.picklist(["folder", "fifo"]), mode: Octal }),
  v.strictObject({ path: Path, kind: v.literal("link"), target: Text }),
]);

const StdinSchema = v.union([
  v.picklist(["null", "empty", "closed"]),
  v.strictObject({ from: Text, replace: Replacements, padding: v.optional(v.number(), 0) }),
  v.strictObject({ zeros: v.number() }),
  /** Texts, one after the other, each so many times. */
  v.strictObject({ texts: v.array(v.tuple([Text, v.number()])) }),
]);

const CallSchema = v.strictObject({
  /** What happens, for a reader. */
  say: v.optional(Text),
  /** What libvirt does with the exit code, for a reader. */
  then: v.optional(Text),
  /** Files put in place, and paths removed, just before the call. */
  files: v.optional(v.array(FileSchema), []),
  remove: v.optional(v.array(Path), []),
  program: v.picklist([...HOOKS, "virt-hooks"]),
  /** `\xNN` in `{ "bytes": … }` is a byte. */
  args: v.array(v.union([Text, v.strictObject({ bytes: Text })])),
  stdin: v.optional(StdinSchema, "null"),
  environment: v.optional(v.record(Text, Text), {}),
  closed: v.optional(v.array(v.picklist(["stdout", "stderr"])), []),
  asUid: v.optional(v.number()),
  signals: v.optional(
    v.array(v.strictObject({ name: v.picklist(["TERM", "INT", "HUP", "KILL"]), onceExists: Path })),
    [],
  ),
  /** The files with the expected output; without one the call prints nothing. */
  stdout: v.optional(Text),
  stderr: v.optional(Text),
  exitCode: v.number(),
  maxMs: v.optional(v.number()),
  /** Fields of its line in the history, or `null` for no line. */
  history: v.nullable(v.record(Text, v.unknown())),
});

const StorySchema = v.strictObject({
  about: Text,
  /** An introduction, for a reader. */
  say: v.optional(Text),
  needs: v.optional(v.picklist(["root", "nft"])),
  files: v.optional(v.array(FileSchema), []),
  before: v.optional(v.array(Text), []),
  calls: v.pipe(v.array(CallSchema), v.minLength(1)),
  /** For a path afterwards: the file with the expected content, or `null` for no file. */
  after: v.optional(v.record(Path, v.nullable(Text)), {}),
  /** Command lines of the processes that remain afterwards. */
  processes: v.optional(v.array(Text), []),
});

/** A call of a story. */
export type StoryCall = v.InferOutput<typeof CallSchema>;

/** A file that a story puts in place. */
export type StoryFile = v.InferOutput<typeof FileSchema>;

/** A story with its name, and the function that reads the files it names. */
export type Story = v.InferOutput<typeof StorySchema> & {
  /** The path of the folder below the folder of all stories. */
  readonly name: string;
  readonly folder: string;
  /** Reads a file that the story names. @throws {Error} if there is none. */
  readonly readFile: (name: string) => Uint8Array<ArrayBuffer>;
};

/** Parses the text of a `story.json`; `path` is its name in errors. @throws {Error} naming what is wrong in it. */
export function parseStory(text: string, path: string): v.InferOutput<typeof StorySchema> {
  const result = v.safeParse(StorySchema, parseJson(text, path));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`Cannot read ${path}: at ${v.getDotPath(issue)}: ${issue.message}`);
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
