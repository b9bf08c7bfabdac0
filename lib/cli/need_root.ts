/**
 * What only root may do.
 * @module
 */
import { CommandError, type Desk } from "./subcommand.ts";

/** @throws {CommandError} when not run by root */
export function needRoot(what: string, command: string, { sys }: Pick<Desk, "sys">): void {
  if (sys.uid() !== 0) throw new CommandError(`Cannot ${what}: only root can`, { hint: `sudo virt-hooks ${command}` });
}
