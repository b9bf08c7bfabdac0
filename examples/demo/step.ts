/**
 * What a play is made of: steps, of which an act has some.
 * @module
 */
import type { DriverName } from "../../lib/libvirt/driver.ts";
import type { Placed } from "../../tests/support/private_root.ts";
import type { Document } from "./stage.ts";

/** libvirt calls a hook. */
export interface HookStep {
  readonly kind: "hook";
  /** What is going on, in plain words. */
  readonly asked: string;
  readonly driver: DriverName;
  readonly object: string;
  readonly operation: string;
  readonly extra: string;
  readonly document?: Document;
  readonly exitCode: number;
  /** What libvirt does then. */
  readonly then: string;
  /** Show what libvirt's client is told, too. */
  readonly virsh?: true;
}

/** A person runs `virt-hooks`. */
export interface CommandStep {
  readonly kind: "command";
  readonly asked: string;
  readonly args: readonly string[];
  readonly exitCode: number;
}

/** A person changes files; told only when `asked` says something. */
export interface ChangeStep {
  readonly kind: "change";
  readonly asked?: string;
  readonly place?: readonly Placed[];
  readonly remove?: readonly string[];
}

/** Looks for what a program has left running. */
export interface LookStep {
  readonly kind: "look";
}

/** One step of the play. */
export type Step = HookStep | CommandStep | ChangeStep | LookStep;

/** Steps that belong together. */
export interface Act {
  readonly title: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

/** What a call must tell, and what may differ from the usual. */
type Told =
  & Pick<HookStep, "asked" | "then">
  & Partial<Pick<HookStep, "object" | "extra" | "document" | "exitCode" | "virsh">>;

/** libvirt calls the qemu hook, about web-1 unless told otherwise. */
export function guest(operation: string, told: Told): HookStep {
  return {
    ...{ kind: "hook", driver: "qemu", object: "web-1", operation, extra: "-", document: "guest.xml", exitCode: 0 },
    ...told,
  };
}

/** libvirt calls the network hook, about lab. */
export function network(operation: string, told: Told): HookStep {
  return {
    ...{ kind: "hook", driver: "network", object: "lab", operation, extra: "-", document: "network.xml", exitCode: 0 },
    ...told,
  };
}

/** libvirt calls the daemon hook. */
export function daemon(operation: string, told: Told): HookStep {
  return { kind: "hook", driver: "daemon", object: "-", operation, extra: operation, exitCode: 0, ...told };
}
