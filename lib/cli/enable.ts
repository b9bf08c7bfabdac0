/**
 * `virt-hooks disable` and `enable`: the way out for an administrator whom a rule locks out.
 * @module
 */
import { lookAtConfig } from "../app/config_folder.ts";
import { CONFIG_DIRECTORY, DISABLED_FILE } from "../app/paths.ts";
import { CommandError, type Desk, type Given, type Subcommand } from "./command.ts";

/** Turns every hook into a no-op. */
export const disable: Subcommand = {
  name: "disable",
  usage: "[--reason TEXT]",
  summary: "Makes every hook do nothing and succeed",
  details: [`It creates ${DISABLED_FILE}; the file holds the reason.`],
  texts: ["reason"],
  switches: [],
  words: { min: 0, max: 0 },
  run: (given, desk) => Promise.resolve(runDisable(given, desk)),
};

/** Lets the hooks obey the rules again. */
export const enable: Subcommand = {
  name: "enable",
  usage: "",
  summary: "Lets the hooks obey the rules again",
  details: [`It removes ${DISABLED_FILE}.`],
  texts: [],
  switches: [],
  words: { min: 0, max: 0 },
  run: (_given, desk) => Promise.resolve(runEnable(desk)),
};

function runDisable(given: Given, desk: Desk): number {
  const { sys } = desk;
  needRoot("disable", desk);
  if (lookAtConfig(sys) === "disabled") {
    desk.print(`The hooks are disabled already, by ${DISABLED_FILE}`);
    return 0;
  }
  if (sys.lstat(CONFIG_DIRECTORY) === undefined) {
    attempt("disable the hooks", () => sys.makeDirectory(CONFIG_DIRECTORY, 0o755));
  }
  const text = `${sys.now().toISOString()} ${given.texts["reason"] ?? "disabled by an administrator"}\n`;
  // What is there now is not root's, so no hook heeds it.
  if (sys.lstat(DISABLED_FILE) !== undefined) attempt("disable the hooks", () => sys.removeFile(DISABLED_FILE));
  attempt("disable the hooks", () => sys.createFile(DISABLED_FILE, text, 0o644));
  desk.print(`The hooks do nothing now, and succeed. "virt-hooks enable" turns them on again`);
  return 0;
}

function runEnable(desk: Desk): number {
  const { sys } = desk;
  needRoot("enable", desk);
  if (lookAtConfig(sys) !== "disabled") {
    const strange = sys.lstat(DISABLED_FILE) === undefined
      ? ""
      : `: ${DISABLED_FILE} is not root's, so it counts for nothing`;
    desk.print(`The hooks are enabled already${strange}`);
    return 0;
  }
  attempt("enable the hooks", () => sys.removeFile(DISABLED_FILE));
  desk.print("The hooks obey the rules again");
  return 0;
}

/** @throws {CommandError} when not run by root, whose files these are */
function needRoot(what: string, desk: Desk): void {
  if (desk.sys.uid() !== 0) {
    throw new CommandError(`Cannot ${what} the hooks: only root can`, { hint: `sudo virt-hooks ${what}` });
  }
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new CommandError(`Cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
