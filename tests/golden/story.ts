/**
 * What a story is: a folder with a `story.json`, read and checked here. README.md tells how to write one.
 * @module
 */
import * as v from "valibot";

const DRIVERS = ["daemon", "qemu", "lxc", "libxl", "network"] as const;
const Octal = v.pipe(v.string(), v.regex(/^[0-7]{4}$/, "must be four octal digits"));
const Path = v.pipe(v.string(), v.startsWith("/"));
const Text = v.string();

const FileSchema = v.union([
  v.strictObject({ path: Path, from: Text, mode: v.optional(Octal, "0644"), ownerUid: v.optional(v.number()) }),
  v.strictObject({ path: Path, kind: v.picklist(["folder", "fifo"]), mode: Octal }),
  v.strictObject({ path: Path, kind: v.literal("link"), target: Text }),
]);

const StdinSchema = v.union([
  v.picklist(["null", "empty", "closed"]),
  v.strictObject({ from: Text, padding: v.optional(v.number(), 0) }),
  v.strictObject({ zeros: v.number() }),
  /** Texts, one after the other, each so many times. */
  v.strictObject({ texts: v.array(v.tuple([Text, v.number()])) }),
]);

const CallSchema = v.strictObject({
  program: v.picklist([...DRIVERS, "virt-hooks"]),
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
  /** The files of this folder that have what it prints; none means nothing. */
  stdout: v.optional(Text),
  stderr: v.optional(Text),
  exitCode: v.number(),
  maxMs: v.optional(v.number()),
  /** The fields its line in the history has, or `null` for no line. */
  history: v.nullable(v.record(Text, v.unknown())),
});

const StorySchema = v.strictObject({
  about: Text,
  needs: v.optional(v.picklist(["root", "nft"])),
  files: v.optional(v.array(FileSchema), []),
  before: v.optional(v.array(Text), []),
  calls: v.pipe(v.array(CallSchema), v.minLength(1)),
  /** For a path afterwards: the file of this folder it must be like, or `null` where nothing may be. */
  after: v.optional(v.record(Path, v.nullable(Text)), {}),
  /** Command lines of processes that may live on. */
  processes: v.optional(v.array(Text), []),
});

/** A call of a story. */
export type StoryCall = v.InferOutput<typeof CallSchema>;

/** A file a story puts in place. */
export type StoryFile = v.InferOutput<typeof FileSchema>;

/** A story, and the folder it stands in. */
export type Story = v.InferOutput<typeof StorySchema> & { readonly name: string; readonly folder: string };

const STORIES_FOLDER = decodeURIComponent(new URL("./", import.meta.url).pathname);

/** Reads every story below this folder, in name order. @throws {Error} naming what is wrong in a `story.json`. */
export function readStories(): readonly Story[] {
  return topicFolders("").flatMap(topicFolders).map(readStory);
}

/** Finds a file a story names: in its own folder, else among the files all stories share. */
export function readStoryFile(story: Story, name: string): Uint8Array<ArrayBuffer> {
  for (const path of [`${story.folder}/${name}`, `${STORIES_FOLDER}shared/${name}`]) {
    try {
      return Deno.readFileSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`Cannot find "${name}": it is neither in tests/golden/${story.name} nor in tests/golden/shared`);
}

function readStory(name: string): Story {
  const folder = STORIES_FOLDER + name;
  const json: unknown = JSON.parse(Deno.readTextFileSync(`${folder}/story.json`));
  const result = v.safeParse(StorySchema, json);
  if (result.success) return { ...result.output, name, folder };
  const [issue] = result.issues;
  throw new Error(`Cannot read tests/golden/${name}/story.json: at ${v.getDotPath(issue)}: ${issue.message}`);
}

function topicFolders(parent: string): readonly string[] {
  return Array.from(Deno.readDirSync(`${STORIES_FOLDER}${parent}`))
    .filter((entry) => entry.isDirectory && entry.name !== "shared")
    .map((entry) => parent === "" ? entry.name : `${parent}/${entry.name}`)
    .sort();
}
