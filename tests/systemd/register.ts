/**
 * Registers a test that needs something of the machine. Where that is missing it is said loudly; a machine that calls itself
 * CI has to have it.
 * @module
 */

/** Registers a test; `missing` names what the machine lacks. */
export function register(
  name: string,
  missing: readonly string[],
  play: (t: Deno.TestContext) => Promise<void>,
): void {
  if (missing.length === 0) {
    Deno.test(name, play);
    return;
  }
  const why = `missing prerequisites: ${missing.join("; ")}`;
  if (Deno.env.get("CI") === "true") {
    Deno.test(name, () => {
      throw new Error(`Cannot play "${name}" in CI: ${why}`);
    });
    return;
  }
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED "${name}": ${why}\n`));
  Deno.test({ name: `${name} [SKIPPED, ${why}]`, ignore: true, fn: () => {} });
}
