/**
 * `deno task demo`: builds the hooks, then plays stories through them in a private root and narrates what happens. It
 * needs neither libvirt nor root, and changes nothing on this machine.
 * @module
 */
import { build } from "../../build/build.ts";
import { BuildError, UsageError } from "../../build/build_error.ts";
import { progressLine } from "../../build/progress.ts";
import { hostTarget } from "../../build/target.ts";
import { painter } from "../../lib/cli/terminal/colour.ts";
import { playStory } from "../../lib/story/player.ts";
import { privateRootRefusal } from "../../lib/story/private_root.ts";
import type { Story } from "../../lib/story/story.ts";
import { demoStories } from "./demo_stories.ts";
import { explainStory } from "./explain_story.ts";
import { type Narrator, openNarrator } from "./narrate.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const WIDTH_MAX = 100;
const WIDTH_MIN = 40;
const EXIT_USAGE = 2;

const USAGE = `Usage: deno task demo [--all] [--step]

Builds the hooks and plays the life of guests through them, in a private file system, process tree and network.

  --all    play every story, not only the first
  --step   wait for Enter after each call
  --help   print this text
`;

/** Runs the demo and returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => !["--all", "--step", "--help"].includes(arg));
  if (unknown !== undefined) {
    write(`error: Unknown argument "${unknown}"\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (args.includes("--help")) {
    write(USAGE);
    return 0;
  }
  const isTerminal = Deno.stdout.isTerminal();
  const narrator = openNarrator({
    paint: painter({ isTerminal, noColor: (Deno.env.get("NO_COLOR") ?? "") !== "" || Deno.env.get("TERM") === "dumb" }),
    columns: isTerminal ? Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, terminalColumns())) : WIDTH_MAX,
    write,
    pause: args.includes("--step") ? waitForEnter : () => {},
  });
  const stories = demoStories();
  try {
    return await play(args.includes("--all") ? stories : stories.slice(0, 1), stories.length, narrator);
  } catch (error) {
    narrator.error(error instanceof Error ? error.message : String(error));
    if (error instanceof BuildError || error instanceof UsageError) write(`hint: ${error.hint}\n`);
    return 1;
  }
}

async function play(stories: readonly Story[], total: number, narrator: Narrator): Promise<number> {
  narrator.title(
    "virt-hooks: a demonstration",
    "It needs neither libvirt nor root, and changes nothing on this machine.",
  );
  const binaries = await buildBinaries(narrator);
  const refusal = await privateRootRefusal();
  let failures = 0;
  if (refusal === undefined) {
    for (const story of stories) failures += await playOne(story, binaries, narrator);
  } else {
    narrator.refused(refusal);
    for (const story of stories) await explainStory(story, binaries, narrator);
  }
  narrator.nextSteps(binaries, total - stories.length);
  return failures === 0 ? 0 : 1;
}

/** Plays a story and returns how many calls ended otherwise than the story says. */
async function playOne(story: Story, binaries: string, narrator: Narrator): Promise<number> {
  narrator.title(story.about, story.say ?? "");
  const narrated = narrator.callNarrator();
  const { processes } = await playStory(story, binaries, narrated.observe);
  if (processes.length > 0) narrator.error(`These processes remain: ${processes.join(", ")}`);
  return narrated.failures() + processes.length;
}

async function buildBinaries(narrator: Narrator): Promise<string> {
  const [built] = await build({
    root: ROOT,
    targets: [hostTarget()],
    denort: Deno.env.get("DENORT_BIN"),
    onProgress: (event) => {
      if (event.kind === "binary") return write(` ${event.name}`);
      const line = progressLine(event);
      if (event.kind === "finished" && !event.upToDate) write("\n");
      if (line !== undefined) narrator.line(line.trim());
      if (event.kind === "denort") write("  compiling:");
    },
  });
  if (built === undefined) throw new BuildError("Cannot play: the build made no target", "run deno task build");
  return built.folder;
}

/** Waits for a line on stdin; at its end the demo goes on without pauses. */
function waitForEnter(): void {
  write("    [Enter] ");
  const byte = new Uint8Array(1);
  while (Deno.stdin.readSync(byte) !== null) if (byte[0] === 0x0a) return;
  write("\n");
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    // The terminal does not report its size.
    return WIDTH_MAX;
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
  } catch (error) {
    // The reader has closed the pipe, as `head` does.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
