/**
 * The stories of the demo, in the order in which it plays them. The golden tests compare the same stories.
 * @module
 */
import type { Story } from "../../lib/story/story.ts";
import { readStories } from "../../lib/story/story_folder.ts";

const EXAMPLES = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

/** Reads the stories; they share the files of `files/` and the rules of `examples/`. */
export function demoStories(): readonly Story[] {
  return readStories({ root: `${EXAMPLES}/demo`, shared: [`${EXAMPLES}/demo/files`, EXAMPLES] });
}
