/**
 * `deno task demo`: builds the hooks, then plays the life of a guest and a network through them in a private root. This
 * machine needs no libvirt, and nothing on it is changed.
 * @module
 */
import { build, type BuiltTarget } from "../../build/build.ts";
import { BuildError, UsageError } from "../../build/build_error.ts";
import { hostTarget } from "../../build/target.ts";
import { openPrivateRoot, type PrivateRoot } from "../../tests/support/private_root.ts";
import { explainInstead } from "./explain.ts";
import { type Caller, callerIn, countLeftRunning, runCommand } from "./play.ts";
import { seconds, showProgress, unchangedLine } from "./progress.ts";
import { acts } from "./scenes.ts";
import { openScreen, type Screen } from "./screen.ts";
import { showAct, showAsked, showCommand, showHook, showLeft, showSurprise } from "./show.ts";
import { programBinds, stagedFiles } from "./stage.ts";
import type { Step } from "./step.ts";
import { tellWhatNext } from "./what_next.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** Runs the demo and returns its exit code. */
async function main(screen: Screen): Promise<number> {
  screen.print(screen.paint("bold", "virt-hooks: a demonstration"));
  screen.print("Nothing on this machine is changed. It needs no libvirt and no root.");
  try {
    const built = await buildAll(screen);
    const opened = await openPrivateRoot(programBinds(built));
    if (opened.kind === "refused") {
      await explainInstead(built, opened.reason, screen);
      tellWhatNext(built, ROOT, screen);
      return 0;
    }
    await using root = opened.root;
    const surprises = await play(root, screen);
    tellWhatNext(built, ROOT, screen);
    return surprises === 0 ? 0 : 1;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    screen.print(screen.paint("red", `error: ${message}`));
    if (error instanceof BuildError || error instanceof UsageError) screen.print(`hint: ${error.hint}`);
    return 1;
  }
}

async function buildAll(screen: Screen): Promise<BuiltTarget> {
  showAct(
    { title: "The hooks are built", about: "One program for each kind of hook, and virt-hooks for people." },
    screen,
  );
  screen.print();
  let names: readonly string[] = [];
  using progress = showProgress(screen);
  const [built] = await build({
    root: ROOT,
    targets: [hostTarget()],
    denort: Deno.env.get("DENORT_BIN"),
    onProgress: (event) => {
      if (event.kind === "target") names = event.names;
      progress.show(event);
    },
  });
  if (built === undefined) throw new BuildError("Cannot show anything: nothing was built", "run deno task build");
  for (const name of built.upToDate ? names : []) {
    screen.print(unchangedLine(name, sizeOf(built, name)));
  }
  screen.print(`  ${built.upToDate ? "nothing has changed" : "ready"} after ${seconds(built.durationMs)}`);
  return built;
}

function sizeOf({ folder }: BuiltTarget, name: string): number {
  return Deno.statSync(name === "virt-hooks" ? `${folder}/${name}` : `${folder}/hooks/${name}`).size;
}

/** Plays every act; returns how many calls did not end as they must. */
async function play(root: PrivateRoot, screen: Screen): Promise<number> {
  await root.place(stagedFiles());
  screen.print();
  screen.printWrapped(
    { text: "" },
    "They now run in a private root: a file system, process tree and network of their own, which are gone at the end. " +
      "There the rules of examples/ are in /etc/virt-hooks/rules.d, and the programs they name in /opt/demo.",
  );
  const company = { root, caller: callerIn(root) };
  let surprises = 0;
  for (const act of acts()) {
    showAct(act, screen);
    for (const step of act.steps) {
      if (await playStep(step, company, screen)) continue;
      surprises++;
      showSurprise("exitCode" in step ? step.exitCode : 0, screen);
    }
  }
  showAct(
    { title: "What is left: the history", about: "libvirt logs no hook that went well. virt-hooks does." },
    screen,
  );
  const history = { kind: "command", asked: "Every call, oldest first", args: ["history"], exitCode: 0 } as const;
  showCommand(history, await runCommand(history, root), screen);
  return surprises;
}

interface Company {
  readonly root: PrivateRoot;
  readonly caller: Caller;
}

/** Plays a step; tells whether it ended as it must. */
async function playStep(step: Step, { root, caller }: Company, screen: Screen): Promise<boolean> {
  switch (step.kind) {
    case "hook": {
      const seen = await caller.callHook(step);
      showHook(step, seen, screen);
      return seen.exitCode === step.exitCode && seen.entry !== undefined;
    }
    case "command": {
      const seen = await runCommand(step, root);
      showCommand(step, seen, screen);
      return seen.exitCode === step.exitCode;
    }
    case "change":
      if (step.asked !== undefined) showAsked(step.asked, screen);
      await root.place(step.place ?? []);
      for (const path of step.remove ?? []) await root.sh(`rm ${path}`);
      return true;
    case "look": {
      const count = await countLeftRunning(root);
      showLeft(count, screen);
      return count === 0;
    }
    default:
      return step satisfies never;
  }
}

if (import.meta.main) Deno.exit(await main(openScreen()));
