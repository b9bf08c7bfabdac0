/**
 * Each folder TOPIC/STORY beside this file, and each story of the demo, is one test, played through the compiled programs.
 * `UPDATE_GOLDEN=1` rewrites the texts they are expected to print.
 */
import { drivers } from "../../lib/libvirt/drivers.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { playStory } from "../../lib/story/player.ts";
import { privateRootRefusal } from "../../lib/story/private_root.ts";
import type { Story } from "../../lib/story/story.ts";
import { demoStories } from "../../examples/demo/demo_stories.ts";
import { assertEquals } from "../support/assert.ts";
import { checkStory } from "./check_story.ts";
import { goldenStories } from "./golden_stories.ts";

const BINARIES = decodeURIComponent(new URL(`../../dist/${Deno.build.target}`, import.meta.url).pathname);
const STORIES = [...goldenStories(), ...demoStories()];
const REFUSAL = await privateRootRefusal();
const MUST_RUN = Deno.env.get("CI") === "true";

Deno.test({
  name: `golden: this machine gives a private root${REFUSAL === undefined ? "" : `: NO STORY IS PLAYED: ${REFUSAL}`}`,
  ignore: REFUSAL !== undefined && !MUST_RUN,
  fn: () => assertEquals(REFUSAL, undefined),
});

Deno.test("golden: the compiled programs are there", requireBinaries);

for (const story of STORIES) {
  Deno.test({
    name: `golden: ${story.name}: ${story.about}${story.needs === undefined ? "" : ` (needs ${story.needs})`}`,
    ignore: !MUST_RUN && (REFUSAL !== undefined || !hasWhatItNeeds(story)),
    fn: async () => {
      requireBinaries();
      checkStory(story, await playStory(story, BINARIES), Deno.env.get("UPDATE_GOLDEN") === "1");
    },
  });
}

Deno.test("golden: every operation of every driver has a story", () => {
  const told = new Set(STORIES.flatMap((story) => story.calls.map(operationOf)));
  const all = Object.values(drivers).flatMap(({ name, operations, renamed }) =>
    [...Object.keys(operations), ...Object.keys(renamed)].map((operation) => `${name} ${operation}`)
  );
  assertEquals(all.filter((operation) => !told.has(operation)), []);
});

function hasWhatItNeeds({ needs }: Story): boolean {
  switch (needs) {
    case undefined:
      return true;
    case "root":
      return Deno.uid() === 0;
    case "nft":
      return [TOOLS.nft, TOOLS.iptables, TOOLS.ip6tables].every(isThere);
    default:
      return needs satisfies never;
  }
}

function operationOf(call: Story["calls"][number]): string {
  return call.args.length === 4 ? `${call.program} ${call.args[1]}` : "";
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function requireBinaries(): void {
  try {
    Deno.statSync(`${BINARIES}/hooks/qemu`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot play stories: there is no ${BINARIES}/hooks/qemu: run \`deno task build\` first`);
  }
}
