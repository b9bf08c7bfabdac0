/**
 * A scene is one end-to-end test: the nodes it started end with it, whatever happens, and where the machine cannot play
 * it that is said loudly. A machine that calls itself CI has to be able to.
 * @module
 */
import { register } from "../support/register.ts";
import { define } from "./guests.ts";
import { type Node, startNode } from "./node.ts";
import { missingPrerequisites } from "./prerequisites.ts";
import { chooseFirewall, debian13Problem, OWN, rootOf, type System, SYSTEMS } from "./systems.ts";

/** The state of a node before the first step. */
export interface NodeOptions {
  /** The system whose programs run in the node; by default the host's. */
  readonly system?: System;
  /** The compiled hooks that are installed before libvirtd starts. */
  readonly hooks: readonly string[];
  readonly rules?: string;
  /** The XML of the network "default", which is started. */
  readonly network?: string;
}

/** What a scene's steps get. */
export interface Scene {
  /** Starts a node that ends with the scene; of this host's own system unless another is asked for. */
  startNode(name: string, system?: System): Promise<Node>;
  /** Starts a node with hooks, rules, a running libvirtd and a network. */
  nodeWith(name: string, options: NodeOptions): Promise<Node>;
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
  const startSceneNode: Scene["startNode"] = async (name, system = OWN) => {
    const node = await startNode({ name, root: await rootOf(system) });
    nodes.push(node);
    await chooseFirewall(node, system);
    return node;
  };
  const scene: Scene = {
    startNode: startSceneNode,
    nodeWith: async (name, { system, hooks, rules, network }) => {
      const node = await startSceneNode(name, system);
      await node.installHooks(HOOKS, hooks);
      if (rules !== undefined) await node.writeRules(rules);
      await node.startLibvirtd();
      if (network !== undefined) {
        await define(node, "network", network);
        await node.mustVirsh(["net-start", "default"]);
      }
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
      (t) => playScene(t, (own) => play(own, system)),
    );
  }
}

/** Registers a scene as a test. */
export function scene(name: string, play: (scene: Scene) => Promise<void>): void {
  register(name, missing, (t) => playScene(t, play));
}
