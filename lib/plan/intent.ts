/**
 * What a call is to do, as data: `explain` prints it, tests compare it, `app/` carries it out.
 * @module
 */

import type { AnyDemand, Lifetime } from "./demand.ts";
import type { ProgramWords } from "../trust/program_words.ts";
import type { Edit as XmlEdit } from "../xml/edit.ts";
import type { Path } from "../xml/path.ts";
import type { Regex } from "../xml/regex.ts";

/** What a failed intent means for the call. */
export type OnError = "fail" | "continue";

/** Refuse what libvirt asks about. */
export interface Deny {
  readonly kind: "deny";
  readonly rule: string;
  readonly message: string;
}

/** Run a program once. */
export interface RunIntent extends ProgramWords {
  readonly kind: "run";
  readonly rule: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: "document" | "none";
  /** `document`: what the program prints is the document that libvirt goes on with. */
  readonly output: "document" | "none";
  /** The rule's own limit; the call's budget holds as well. */
  readonly timeoutMs: number | undefined;
  readonly onError: OnError;
}

/** An action that cannot be planned for this call: carried out, it fails. */
export interface Fault {
  readonly kind: "fault";
  readonly rule: string;
  readonly action: string;
  readonly message: string;
  /** Set where it is the document that cannot be looked at, or the call's time that is up. */
  readonly cause?: "document" | "time";
  readonly onError: OnError;
}

/** An edit with a regular expression, still as text: its engine is loaded when it is carried out. */
export interface RegexEdit extends Regex {
  readonly kind: "regex";
  readonly path: Path;
}

/** An edit as data. */
export type PlannedEdit = Exclude<XmlEdit, { readonly kind: "regex" }> | RegexEdit;

/** One change of the document. */
export interface EditStep {
  readonly edit: PlannedEdit;
  /** The change, for people. */
  readonly text: string;
}

/** Change the document that libvirt goes on with. */
export interface EditIntent {
  readonly kind: "edit";
  readonly rule: string;
  readonly step: EditStep;
  readonly onError: OnError;
}

/** Hold something of the host while the guest or network of the call lives. */
export type Hold = AnyDemand & {
  readonly kind: "hold";
  readonly rule: string;
  /** The action in its rule: `hugepages`, `services.2`. */
  readonly action: string;
  readonly lifetime: Lifetime;
  /** What is held, for people. */
  readonly text: string;
  readonly onError: OnError;
};

/** One thing to do at once. */
export type ImmediateIntent = Deny | EditIntent | RunIntent | Fault;

/** One thing that a call is to do. */
export type Intent = ImmediateIntent | Hold;
