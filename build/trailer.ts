/**
 * Reads what `deno compile` appends to the runtime: the embedded settings and the list of embedded files. They show what
 * a binary is, whatever flags were passed to `deno compile`.
 *
 * The layout (versions 2.7 to 2.9): `d3n0l4nd`, length and JSON of the settings, length and snapshot of npm packages,
 * three counts of remote modules, length and JSON of the files' tree, length and bytes of the files, `d3n0l4nd`.
 * Lengths are u64, counts u32, little-endian.
 * @module
 */
import * as v from "valibot";
import { messageOf } from "./build_error.ts";

const MAGIC = new TextEncoder().encode("d3n0l4nd");
const LENGTH_BYTES = 8;
// One byte alone could also be the end of a length that follows the end mark.
const SETTINGS_START = new TextEncoder().encode('{"');
// The length of the npm snapshot and three counts. All must be 0: a binary embeds its bundle and nothing else.
const PACKAGES_BYTES = 8 + 3 * 4;

const MANY = v.nullable(v.array(v.string()));

const SETTINGS = v.looseObject({
  argv: v.array(v.string()),
  code_cache_key: v.nullable(v.union([v.number(), v.string()])),
  permissions: v.objectWithRest({ prompt: v.boolean() }, v.union([MANY, v.boolean()])),
  v8_flags: v.array(v.string()),
  ca_data: v.nullable(v.unknown()),
  unsafely_ignore_certificate_errors: MANY,
  env_vars_from_env_file: v.record(v.string(), v.string()),
  workspace_resolver: v.looseObject({ package_jsons: v.record(v.string(), v.unknown()) }),
  entrypoint_key: v.string(),
  node_modules: v.nullable(v.unknown()),
  otel_config: v.looseObject({ tracing_enabled: v.boolean(), metrics_enabled: v.boolean() }),
  self_extracting: v.optional(v.string()),
});

/** The settings in a binary, with Deno's own names. */
export type TrailerSettings = v.InferOutput<typeof SETTINGS>;

/** What `deno compile` appended to a runtime. */
export interface Trailer {
  readonly settings: TrailerSettings;
  /** Paths of the embedded files below the program's virtual root, sorted. */
  readonly files: readonly string[];
  /** The offset of the trailer in the binary. */
  readonly startBytes: number;
}

type Entry =
  | { readonly File: { readonly n: string } }
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] } }
  | { readonly Symlink: { readonly n: string } };

const ENTRY: v.GenericSchema<unknown, Entry> = v.union([
  v.object({ File: v.object({ n: v.string() }) }),
  v.object({ Dir: v.object({ n: v.string(), e: v.array(v.lazy(() => ENTRY)) }) }),
  v.object({ Symlink: v.object({ n: v.string() }) }),
]);

/**
 * Reads the trailer of a compiled program.
 *
 * @throws {SyntaxError} When there is none, or its layout is unknown.
 */
export function parseTrailer(bytes: Uint8Array): Trailer {
  const startBytes = findStart(bytes);
  if (startBytes === undefined) throw new SyntaxError("Cannot find the trailer of a compiled program");
  const settings = readSection(bytes, startBytes + MAGIC.length);
  const packagesEnd = settings.end + PACKAGES_BYTES;
  if (bytes.subarray(settings.end, packagesEnd).some((byte) => byte !== 0)) {
    throw new SyntaxError("Cannot read the trailer further: packages or remote modules are embedded");
  }
  const tree = readSection(bytes, packagesEnd);
  const data = readSection(bytes, tree.end);
  if (!isMagicAt(bytes, data.end)) throw new SyntaxError("Cannot read the trailer: its end mark is missing");
  return {
    settings: parseJson(SETTINGS, settings.bytes, "settings"),
    files: parseJson(v.array(ENTRY), tree.bytes, "list of files").flatMap((entry) => pathsOf(entry, "")).toSorted(),
    startBytes,
  };
}

/** Whether `bytes` contain `text` at offset `from` or later. */
export function containsText(bytes: Uint8Array, text: string, from: number): boolean {
  const wanted = new TextEncoder().encode(text);
  const first = wanted[0];
  if (first === undefined) return true;
  for (let at = bytes.indexOf(first, from); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}

/** Searches from the end: the trailer is small and last, and the runtime contains the magic word too. */
function findStart(bytes: Uint8Array): number | undefined {
  const [first = 0] = MAGIC;
  for (let at = bytes.lastIndexOf(first); at > 0; at = bytes.lastIndexOf(first, at - 1)) {
    if (isMagicAt(bytes, at) && isAt(bytes, SETTINGS_START, at + MAGIC.length + LENGTH_BYTES)) return at;
  }
  return undefined;
}

function isMagicAt(bytes: Uint8Array, at: number): boolean {
  return isAt(bytes, MAGIC, at);
}

function isAt(bytes: Uint8Array, wanted: Uint8Array, at: number): boolean {
  return wanted.every((byte, index) => bytes[at + index] === byte);
}

function readSection(bytes: Uint8Array, at: number): { readonly bytes: Uint8Array; readonly end: number } {
  const start = at + LENGTH_BYTES;
  if (start > bytes.length) throw new SyntaxError("Cannot read the trailer: it is cut off");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES).getBigUint64(0, true));
  if (start + length > bytes.length) throw new SyntaxError("Cannot read the trailer: it is cut off");
  return { bytes: bytes.subarray(start, start + length), end: start + length };
}

function parseJson<S extends v.GenericSchema>(schema: S, bytes: Uint8Array, what: string): v.InferOutput<S> {
  try {
    return v.parse(schema, JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new SyntaxError(`Cannot read the trailer: its ${what}: ${messageOf(error)}`, { cause: error });
  }
}

function pathsOf(entry: Entry, folder: string): readonly string[] {
  if ("File" in entry) return [folder + entry.File.n];
  if ("Symlink" in entry) return [folder + entry.Symlink.n];
  return entry.Dir.e.flatMap((inner) => pathsOf(inner, `${folder}${entry.Dir.n}/`));
}
