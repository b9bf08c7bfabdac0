/**
 * Reads the files of the repository.
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** Reads a text file, by its path from the root of the repository. */
export async function readText(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, ROOT));
}

/** Lists the files at any depth of a folder, sorted. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(new URL(`${folder}/`, ROOT)));
  const paths = await Promise.all(
    entries.map(({ name, isDirectory }) => isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]),
  );
  return paths.flat().toSorted();
}
