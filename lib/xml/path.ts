/**
 * The path language: a part of XPath 1.0, with its meaning. Text becomes data here; `select.ts` follows it.
 *
 * docs/reference/paths.md tells people what is in. What is not is refused while the path is read, never while it is followed.
 * @module
 */

/** Which elements or attributes a step takes. */
export type NameTest =
  | { readonly kind: "any" }
  | { readonly kind: "namespace"; readonly uri: string }
  /** A name without a prefix is one in no namespace, as in XPath. */
  | { readonly kind: "name"; readonly local: string; readonly uri: string | undefined };

/** One step. `anywhere`: `//` is before it. */
export type PathStep =
  | { readonly kind: "child"; readonly name: NameTest; readonly anywhere: boolean; readonly predicates: Predicates }
  | { readonly kind: "attribute"; readonly name: NameTest; readonly anywhere: boolean; readonly predicates: Predicates }
  | { readonly kind: "text"; readonly anywhere: boolean; readonly predicates: Predicates }
  | { readonly kind: "parent" };

export type Predicates = readonly Predicate[];

export type Predicate =
  | { readonly kind: "position"; readonly position: number }
  | { readonly kind: "last" }
  | { readonly kind: "condition"; readonly condition: Condition };

export type Condition =
  | { readonly kind: "and" | "or"; readonly left: Condition; readonly right: Condition }
  | { readonly kind: "not"; readonly condition: Condition }
  | { readonly kind: "exists"; readonly steps: readonly PathStep[] }
  | { readonly kind: "equals" | "starts-with" | "contains"; readonly left: Operand; readonly right: Operand };

export type Operand =
  | { readonly kind: "literal"; readonly value: string }
  /** From the node that the condition is about; no step at all is that node itself. */
  | { readonly kind: "path"; readonly steps: readonly PathStep[] };

/** A path from the document down. */
export interface Path {
  readonly kind: "path";
  readonly text: string;
  readonly steps: readonly PathStep[];
}

const SUPPORTED =
  "supported are /a/b, //b, *, @x, text(), .., names with a declared prefix, and the conditions [1], [last()], [@x], " +
  "[b='v'], [@x='v'], starts-with(), contains(), not(), and, or";

/** Thrown when a text is not a path we follow. */
export class PathSyntaxError extends SyntaxError {
  readonly path: string;
  /** From 1. */
  readonly column: number;

  constructor(path: string, column: number, problem: string) {
    super(`Cannot parse the path "${path}" at column ${column}: ${problem}; ${SUPPORTED}`);
    this.name = "PathSyntaxError";
    this.path = path;
    this.column = column;
  }
}
