/**
 * A missing prerequisite is said loudly, and is a failure where CI=true: a test that does not run proves nothing.
 * @module
 */

/** Whether a test must be left out because `path` is missing. @throws {Error} where CI=true */
export function missing(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  leaveOut(`${path} is missing`);
  return true;
}

/** Says why tests are left out. @throws {Error} where CI=true */
export function leaveOut(reason: string): void {
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot test install.sh completely: ${reason}`);
  Deno.stderr.writeSync(new TextEncoder().encode(`\nNOT TESTED: ${reason}\n\n`));
}
