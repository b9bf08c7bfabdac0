/**
 * Inspects a finished binary: its machine, its permissions and settings, its embedded files, and whether it names folders
 * of the build host.
 * @module
 */
import { BuildError, messageOf } from "./build_error.ts";
import type { Bundle } from "./bundle.ts";
import { grantsOf, permissionMistakes } from "./permissions.ts";
import type { Binary } from "./project.ts";
import { machineName, parseElfHeader, type Target, TARGETS } from "./target.ts";
import { containsText, parseTrailer, type Trailer, type TrailerSettings } from "./trailer.ts";

/** The properties that a binary must have. */
export interface Expectation {
  readonly binary: Binary;
  readonly bundle: Bundle;
  readonly target: Target;
  /** Folders of the build host that must not be named in the binary. */
  readonly hostFolders: readonly string[];
}

/**
 * Checks that a binary has the expected properties.
 *
 * @throws {BuildError} With every mistake.
 */
export function inspectBinary(bytes: Uint8Array, expected: Expectation): void {
  const mistakes = binaryMistakes(bytes, expected);
  if (mistakes.length === 0) return;
  throw new BuildError(
    `Cannot accept the binary ${expected.binary.name}: ${mistakes.join("; ")}`,
    "search the sources for it; if it is not there, this Deno compiles differently: use the version in .deno-version",
  );
}

/** Lists the mistakes of a binary. */
export function binaryMistakes(bytes: Uint8Array, expected: Expectation): readonly string[] {
  const machine = parseElfHeader(bytes)?.machine;
  if (machine === undefined) return ["it is no 64-bit ELF file"];
  if (machine !== TARGETS[expected.target].elfMachine) {
    return [`it is for ${machineName(machine)}, not for ${expected.target}`];
  }
  try {
    const trailer = parseTrailer(bytes);
    return [
      ...settingsMistakes(trailer.settings, expected.bundle),
      ...grantsMistakes(trailer.settings, expected.binary),
      ...filesMistakes(trailer, expected.bundle),
      ...leaks(bytes, trailer, expected.hostFolders),
    ];
  } catch (error) {
    if (error instanceof SyntaxError) return [messageOf(error)];
    throw error;
  }
}

function settingsMistakes(settings: TrailerSettings, bundle: Bundle): readonly string[] {
  const { otel_config: telemetry } = settings;
  const checks: readonly (readonly [isWrong: boolean, mistake: string])[] = [
    [settings.code_cache_key !== null, "it keeps a code cache in /tmp, which any local user could create"],
    [settings.permissions.prompt, "it asks the terminal for permissions"],
    [settings.entrypoint_key !== bundle.entry, `it starts with ${settings.entrypoint_key}, not with ${bundle.entry}`],
    [settings.argv.length > 0, "it has embedded arguments"],
    [Object.keys(settings.env_vars_from_env_file).length > 0, "it has embedded environment variables"],
    [Object.keys(settings.workspace_resolver.package_jsons).length > 0, "it looks for package.json at run time"],
    [settings.node_modules !== null, "it has npm packages beside its bundle"],
    [settings.ca_data !== null, "it has an embedded certificate"],
    [settings.unsafely_ignore_certificate_errors !== null, "it ignores certificate errors"],
    [telemetry.tracing_enabled || telemetry.metrics_enabled, "it sends telemetry"],
    [settings.self_extracting !== undefined, "it unpacks itself when it runs"],
  ];
  return checks.flatMap(([isWrong, mistake]) => isWrong ? [mistake] : []);
}

function grantsMistakes(settings: TrailerSettings, binary: Binary): readonly string[] {
  const grants = grantsOf(binary.name);
  const missing = grants.v8Flags.filter((flag) => !settings.v8_flags.includes(flag));
  return [
    ...permissionMistakes(settings.permissions, grants).map((mistake) => `its permission ${mistake}`),
    ...missing.map((flag) => `V8's ${flag} is not embedded`),
  ];
}

function filesMistakes(trailer: Trailer, bundle: Bundle): readonly string[] {
  const wanted = new Set(bundle.files.map(({ name }) => name));
  const found = new Set(trailer.files);
  return [
    ...[...wanted.difference(found)].map((name) => `${name} is not embedded`),
    ...[...found.difference(wanted)].map((name) => `${name} is embedded but is not part of its bundle`),
  ];
}

function leaks(bytes: Uint8Array, trailer: Trailer, hostFolders: readonly string[]): readonly string[] {
  return hostFolders
    .filter((folder) => folder !== "" && folder !== "/" && containsText(bytes, folder, trailer.startBytes))
    .map((folder) => `it names a folder of this machine, ${folder}`);
}
