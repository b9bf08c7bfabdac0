/**
 * A program and its arguments, as a rule gives them.
 * @module
 */

/** An argv, with what of it the call's document chose. */
export interface ProgramWords {
  /** Absolute path, then its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** Which of its words have a value of the call in them, by their place in `argv`. The others are the administrator's own. */
  readonly filled: readonly number[];
}
