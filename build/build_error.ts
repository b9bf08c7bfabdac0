/**
 * The errors of the build. The build (`build/`) uses `Deno` directly; no binary contains any of it.
 * @module
 */

/** A build that cannot continue. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  /** What the user can do about it. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** An argument of the build command that is not understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The nearest correct word, or where to look. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Returns the message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
