/**
 * How the build says no. This folder may speak to the operating system; nothing that ends in a binary
 * imports it.
 * @module
 */

/** A build that cannot go on, with what the reader can do about it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  /** What to try next, in a few words. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** Arguments of the build command that cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The nearest right word, or where to look. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
