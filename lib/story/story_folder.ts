/**
 * Reads stories from a folder: every folder below it that contains a `story.json` is one.
 * @module
 */
import { parseStory, type Story } from "./story.ts";

/** Where stories are. */
export interface StoryFolders {
  /** The folder of all stories. */
  readonly root: string;
  /** Folders with files that all stories share; the story's own folder comes first. */
  readonly shared: readonly string[];
}

/** Reads every story below `root`, ordered by name. @throws {Error} naming what is wrong in a `story.json`. */
export function readStories(folders: StoryFolders): readonly Story[] {
  return storyNames(folders.root, "").map((name) => readStory(name, folders));
}

function readStory(name: string, { root, shared }: StoryFolders): Story {
  const folder = `${root}/${name}`;
  const path = `${folder}/story.json`;
  const searched = [folder, ...shared];
  function readFile(file: string): Uint8Array<ArrayBuffer> {
    for (const each of searched) {
      const bytes = bytesOf(`${each}/${file}`);
      if (bytes !== undefined) return bytes;
    }
    throw new Error(`Cannot find "${file}", which ${path} names: it is not in ${searched.join(" or ")}`);
  }
  return { ...parseStory(Deno.readTextFileSync(path), path), name, folder, readFile };
}

function bytesOf(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function storyNames(root: string, parent: string): readonly string[] {
  const entries = Array.from(Deno.readDirSync(`${root}/${parent}`));
  if (parent !== "" && entries.some(({ name }) => name === "story.json")) return [parent];
  return entries.filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => parent === "" ? name : `${parent}/${name}`)
    .toSorted()
    .flatMap((name) => storyNames(root, name));
}
