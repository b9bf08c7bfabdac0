/**
 * What the build reads from the project itself: its version, and which binaries were asked for.
 * @module
 */
// @ts-types="./std_text.d.ts"
import { closestString } from "@std/text/closest-string";
import * as v from "valibot";
import { type Binary, listBinaries } from "./binaries.ts";
import { BuildError, messageOf, UsageError } from "./build_error.ts";

const CONFIGURATION = v.looseObject({ version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/)) });

/**
 * Reads the product's version from `deno.json`.
 *
 * @throws {BuildError} When there is none.
 */
export async function readVersion(root: string): Promise<string> {
  try {
    return v.parse(CONFIGURATION, JSON.parse(await Deno.readTextFile(`${root}/deno.json`))).version;
  } catch (error) {
    throw new BuildError(
      `Cannot read the version from ${root}/deno.json: ${messageOf(error)}`,
      'it needs a line such as "version": "1.2.3"',
      { cause: error },
    );
  }
}

/**
 * The binaries of the project, or only those whose names were given.
 *
 * @throws {UsageError} For a name that is no binary's, with the nearest that is.
 */
export async function selectBinaries(root: string, only: readonly string[]): Promise<readonly Binary[]> {
  const all = await listBinaries(root);
  const names = all.map(({ name }) => name);
  const wrong = only.find((name) => !names.includes(name));
  if (wrong === undefined) return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
  throw new UsageError(
    `Cannot build only "${wrong}": there are ${names.join(", ")}`,
    `did you mean "${closestString(wrong, names)}"?`,
  );
}
