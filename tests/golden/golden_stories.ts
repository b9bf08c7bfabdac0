/**
 * The golden stories: the folders TOPIC/STORY beside this file.
 * @module
 */
import type { Story } from "../../lib/story/story.ts";
import { readStories } from "../../lib/story/story_folder.ts";

const FOLDER = decodeURIComponent(new URL(".", import.meta.url).pathname).replace(/\/$/, "");

/** Reads the stories; they share the files of `shared/`. */
export function goldenStories(): readonly Story[] {
  return readStories({ root: FOLDER, shared: [`${FOLDER}/shared`] });
}
