/**
 * The first look at the administrator's folder, which is all that a host without rules pays for.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { CONFIG_DIRECTORY, DISABLED_FILE } from "./paths.ts";

/** What is there to obey. `rules` also where the files may be broken or not to be trusted. */
export type Config = "nothing" | "disabled" | "rules";

const COMMENT_BYTES_MAX = 65_536;

/** Looks what there is. A `disabled` that is not root's counts for nothing. */
export function lookAtConfig(sys: Pick<Sys, "lstat" | "readDirectory" | "readTextFile">): Config {
  const names = sys.readDirectory(CONFIG_DIRECTORY) ?? [];
  if (names.includes("disabled") && sys.lstat(DISABLED_FILE)?.uid === 0) return "disabled";
  if (names.includes("rules.d") && hasDropIns(sys)) return "rules";
  return names.includes("rules.toml") && !isComment(`${CONFIG_DIRECTORY}/rules.toml`, sys) ? "rules" : "nothing";
}

function hasDropIns(sys: Pick<Sys, "readDirectory">): boolean {
  const names = sys.readDirectory(`${CONFIG_DIRECTORY}/rules.d`);
  return names === undefined || names.some((name) => name.endsWith(".toml"));
}

/** Whether a file holds comments at most, as the one that is installed does. */
function isComment(path: string, sys: Pick<Sys, "lstat" | "readTextFile">): boolean {
  const facts = sys.lstat(path);
  if (facts?.kind !== "file" || facts.sizeBytes > COMMENT_BYTES_MAX) return false;
  try {
    return sys.readTextFile(path, COMMENT_BYTES_MAX).split(/\r\n?|\n/).every((line) => /^\s*(#|$)/.test(line));
  } catch {
    // Not text: whoever reads it as rules says so.
    return false;
  }
}
