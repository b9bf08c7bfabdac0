/**
 * What only root may do.
 * @module
 */
import { type CliContext, CommandError } from "./subcommand.ts";

/** @throws {CommandError} when not run by root */
export function needRoot(what: string, command: string, { sys }: Pick<CliContext, "sys">): void {
  if (sys.uid() !== 0) throw new CommandError(`Cannot ${what}: only root can`, { hint: `sudo virt-hooks ${command}` });
}
