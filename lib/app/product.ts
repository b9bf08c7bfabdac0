/**
 * The product's name and version, where its files are, and whether this host has configured it.
 * @module
 */
import { UnansweredError } from "../sys/paths.ts";
import type { Sys } from "../sys/sys.ts";
import { checkTrust } from "../trust/trust.ts";

/** The name in front of every message. */
export const PRODUCT = "virt-hooks";
/** The version. It is written in `deno.json` alone: the build puts it in the place of this one, that of the sources. */
export const VERSION = "0.0.0-source";

/** The administrator's folder. */
export const CONFIG_DIRECTORY = "/etc/virt-hooks";
/** The file whose presence makes every hook a no-op. */
export const DISABLED_FILE = `${CONFIG_DIRECTORY}/disabled`;
/** Where libvirt looks for hooks. */
export const HOOKS_DIRECTORY = "/etc/libvirt/hooks";
/** Where the history is. */
export const LOG_DIRECTORY = "/var/log/virt-hooks";
/** The history itself: one JSON line a call. */
export const HISTORY_FILE = `${LOG_DIRECTORY}/history.jsonl`;

/** What is there to obey. `rules` also where the files may be broken or not to be trusted. */
export type Config = "nothing" | "disabled" | "rules";

const COMMENT_BYTES_MAX = 65_536;

/**
 * Looks what there is. A `disabled` that is not root's counts for nothing, and none counts in a folder that others than root
 * can write: they could have renamed a file of root's.
 */
export async function lookAtConfig(sys: Pick<Sys, "paths">): Promise<Config> {
  try {
    const trust = await checkTrust(CONFIG_DIRECTORY, sys);
    // Loading the rules refuses the folder.
    if (trust.kind === "untrusted") return "rules";
    return trust.kind === "missing" ? "nothing" : await lookInside(trust.path, sys);
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    // There may be rules, and loading them reports that they cannot be read.
    return "rules";
  }
}

async function lookInside(folder: string, sys: Pick<Sys, "paths">): Promise<Config> {
  const names = await sys.paths.readDirectory(folder) ?? [];
  if (names.includes("disabled") && (await sys.paths.lstat(`${folder}/disabled`))?.uid === 0) return "disabled";
  if (names.includes("rules.d") && await hasDropIns(`${folder}/rules.d`, sys)) return "rules";
  return names.includes("rules.toml") && !await isComment(`${folder}/rules.toml`, sys) ? "rules" : "nothing";
}

async function hasDropIns(folder: string, { paths }: Pick<Sys, "paths">): Promise<boolean> {
  // Loading the rules follows links.
  if ((await paths.lstat(folder))?.kind === "symlink") return true;
  const names = await paths.readDirectory(folder);
  return names === undefined || names.some((name) => name.endsWith(".toml"));
}

/** Whether a file holds comments at most, as the one that is installed does. */
async function isComment(path: string, { paths }: Pick<Sys, "paths">): Promise<boolean> {
  const facts = await paths.lstat(path);
  if (facts?.kind !== "file" || facts.sizeBytes > COMMENT_BYTES_MAX) return false;
  try {
    return (await paths.readTextFile(path, COMMENT_BYTES_MAX)).split(/\r\n?|\n/).every((line) =>
      /^\s*(#|$)/.test(line)
    );
  } catch {
    // Not text: loading the rules reports it.
    return false;
  }
}
