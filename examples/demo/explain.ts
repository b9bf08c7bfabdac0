/**
 * Where this machine gives no private root: the plans of the same calls, told and not carried out.
 * @module
 */
import type { BuiltTarget } from "../../build/build.ts";
import { hookWords } from "./play.ts";
import { acts } from "./scenes.ts";
import type { Screen } from "./screen.ts";
import { showAct, showAsked } from "./show.ts";
import { exampleNames, exampleText } from "./stage.ts";
import type { HookStep } from "./step.ts";

/** Shows `virt-hooks explain` for the calls of the play. It reads rules and writes nothing. */
export async function explainInstead(built: BuiltTarget, reason: string, screen: Screen): Promise<void> {
  showAct({
    title: "No private root here",
    about: "The hooks would now run in a private root, but this machine refuses to make one, and on the real system " +
      "the demo runs no hook. The reason it gives:",
  }, screen);
  for (const line of reason.split("\n")) screen.printWrapped({ text: "    " }, line);
  screen.printWrapped(
    { text: "" },
    'Instead "virt-hooks explain" tells, for each call, what the rules of examples/ would do on this host.',
  );
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-demo-" });
  try {
    await Deno.mkdir(`${folder}/rules.d`);
    for (const name of exampleNames()) await Deno.writeTextFile(`${folder}/rules.d/${name}`, exampleText(name));
    for (const step of callsToExplain()) {
      await explain(step, { program: `${built.folder}/virt-hooks`, folder }, screen);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The calls of the acts in which nobody changes anything between them. */
function callsToExplain(): readonly HookStep[] {
  const still = acts().filter(({ steps }) => !steps.some(({ kind }) => kind === "change"));
  return still.flatMap(({ steps }) => steps).filter((step) => step.kind === "hook");
}

function wordsOf(step: HookStep): readonly string[] {
  return [step.driver, ...hookWords(step)];
}

interface Explainer {
  readonly program: string;
  /** Where the rules are. */
  readonly folder: string;
}

async function explain(step: HookStep, { program, folder }: Explainer, screen: Screen): Promise<void> {
  const words = wordsOf(step);
  const args = ["explain", "--rules", folder, "--", ...words];
  const { stdout, stderr } = await new Deno.Command(program, { args, clearEnv: true, stdin: "null" }).output();
  showAsked(step.asked, screen);
  screen.print(`    ${screen.paint("cyan", `virt-hooks explain ${words.join(" ")}`)}`);
  const decoder = new TextDecoder();
  const lines = `${decoder.decode(stdout)}${decoder.decode(stderr)}`.trimEnd().split("\n");
  const shown = lines.filter((line) => !NO_MATCH.test(line));
  for (const line of shown) {
    screen.printWrapped({ text: "    | ", shown: `    ${screen.paint("dim", "| ")}` }, line);
  }
  const left = lines.length - shown.length;
  if (left > 0) screen.print(`    ${screen.paint("dim", `  (and for ${left} other rules why they do not match)`)}`);
}

const NO_MATCH = /^rule ".*" does not match: /;
