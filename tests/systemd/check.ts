/**
 * One thing that is checked on a machine that systemd runs.
 * @module
 */
import type { Machine } from "./machine.ts";

/** A check; those of one machine are played in order. */
export interface Check {
  readonly name: string;
  play(machine: Machine): Promise<void>;
}
