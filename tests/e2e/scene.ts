/**
 * A scene is one end-to-end test: the nodes it started end with it, whatever happens, and where the machine cannot play
 * it that is said loudly. A machine that calls itself CI has to be able to.
 * @module
 */
import { type Node, startNode } from "./node.ts";
import { missingPrerequisites } from "./prerequisites.ts";
import { chooseFirewall, debian13Problem, OWN, rootOf, type System, SYSTEMS } from "./systems.ts";

/** What a scene's steps get. */
export interface Scene {
  /** Starts a node that ends with the scene; of this host's own system unless another is asked for. */
  startNode(name: string, system?: System): Promise<Node>;
  /** Plays one step; the first that fails ends the scene. */
  step(name: string, play: () => Promise<void>): Promise<void>;
}

const missing = missingPrerequisites();

/** The compiled hooks under test. */
export const HOOKS = new URL("../../dist/x86_64-unknown-linux-gnu/hooks", import.meta.url).pathname;
/** The compiled admin command. */
export const COMMAND = new URL("../../dist/x86_64-unknown-linux-gnu/virt-hooks", import.meta.url).pathname;

async function tell(node: Node): Promise<string> {
  const log = (await node.libvirtdLog()).trimEnd().split("\n").filter((line) => / (error|warning) : /.test(line));
  return `\n--- last of node "${node.name}": libvirtd's log\n${log.slice(-15).join("\n")}`;
}

async function playScene(t: Deno.TestContext, play: (scene: Scene) => Promise<void>): Promise<void> {
  const nodes: Node[] = [];
  const scene: Scene = {
    startNode: async (name, system = OWN) => {
      const node = await startNode({ name, root: await rootOf(system) });
      nodes.push(node);
      await chooseFirewall(node, system);
      return node;
    },
    step: async (name, playStep) => {
      const passed = await t.step(name, async () => {
        try {
          await playStep();
        } catch (error) {
          const told = await Promise.all(nodes.map(tell));
          if (error instanceof Error) error.message += told.join("");
          throw error;
        }
      });
      if (!passed) throw new Error(`Cannot go on with the scene: step "${name}" failed`);
    },
  };
  try {
    await play(scene);
  } finally {
    for (const node of nodes) await node.end();
  }
}

/** Registers a scene for each system: as many tests. */
export function sceneOnSystems(
  name: string,
  play: (scene: Scene, system: System) => Promise<void>,
  options: { readonly systems?: readonly System[] } = {},
): void {
  for (const system of options.systems ?? SYSTEMS) {
    const problem = system.isDebian13 ? debian13Problem() : undefined;
    register(
      `${name} (${system.name})`,
      [...missing, ...(problem === undefined ? [] : [problem])],
      (own) => play(own, system),
    );
  }
}

/** Registers a scene as a test. */
export function scene(name: string, play: (scene: Scene) => Promise<void>): void {
  register(name, missing, play);
}

function register(name: string, missing: readonly string[], play: (scene: Scene) => Promise<void>): void {
  if (missing.length === 0) {
    Deno.test(name, (t) => playScene(t, play));
    return;
  }
  const why = `missing prerequisites: ${missing.join("; ")}`;
  if (Deno.env.get("CI") === "true") {
    Deno.test(name, () => {
      throw new Error(`Cannot play "${name}" in CI: ${why}`);
    });
    return;
  }
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED end-to-end test "${name}": ${why}\n`));
  Deno.test({ name: `${name} [SKIPPED, ${why}]`, ignore: true, fn: () => {} });
}
