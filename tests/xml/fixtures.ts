/**
 * Documents captured from libvirt, unmodified.
 * @module
 */

const FOLDER = new URL("../fixtures/", import.meta.url);

/** The names of all captured documents. */
export function fixtureNames(): readonly string[] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".xml")).sort();
  if (names.length === 0) throw new Error(`Cannot test with fixtures: there are none in ${FOLDER.pathname}`);
  return names;
}

export function readFixture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, FOLDER));
}
