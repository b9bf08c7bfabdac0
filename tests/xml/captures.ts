/**
 * The documents that libvirt gave to hooks, as they came.
 * @module
 */

const FOLDER = new URL("../captures/", import.meta.url);

/** The names of all captured documents. */
export function captureNames(): readonly string[] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".xml")).sort();
  if (names.length === 0) throw new Error(`Cannot test with captures: there are none in ${FOLDER.pathname}`);
  return names;
}

export function readCapture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, FOLDER));
}
