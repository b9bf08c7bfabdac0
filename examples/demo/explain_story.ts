/**
 * Explains the calls of a story where this machine refuses a private root: no hook runs, and nothing is changed.
 * @module
 */
import { fileContent } from "../../lib/story/player.ts";
import type { Story, StoryFile } from "../../lib/story/story.ts";
import type { Narrator } from "./narrate.ts";

const RULES_FOLDER = "/etc/virt-hooks/";
const NO_MATCH = /^rule ".*" does not match: /;

/** Runs `virt-hooks explain` for each hook call of a story, with the rules that the call would find. */
export async function explainStory(story: Story, binaries: string, narrator: Narrator): Promise<void> {
  narrator.title(story.about, story.say ?? "");
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-demo-" });
  try {
    await Deno.mkdir(`${folder}/rules.d`);
    await writeRules(story, story.files, folder);
    for (const call of story.calls) {
      await writeRules(story, call.files, folder);
      if (call.program === "virt-hooks") continue;
      const words = [call.program, ...call.args.map((word) => typeof word === "string" ? word : word.bytes)];
      const args = ["explain", "--rules", folder, "--", ...words];
      const program = `${binaries}/virt-hooks`;
      const { stdout, stderr } = await new Deno.Command(program, { args, clearEnv: true, stdin: "null" }).output();
      narrator.command(call.say ?? "", `virt-hooks explain ${words.join(" ")}`);
      const lines = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("").split("\n");
      narrator.output(lines.filter((line) => !NO_MATCH.test(line)).join("\n"));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writeRules(story: Story, files: readonly StoryFile[], folder: string): Promise<void> {
  for (const file of files) {
    if (!("from" in file) || !file.path.startsWith(RULES_FOLDER)) continue;
    await Deno.writeFile(`${folder}/${file.path.slice(RULES_FOLDER.length)}`, fileContent(story, file));
  }
}
