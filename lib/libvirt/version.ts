/**
 * Versions of libvirt, and how to read one off the name of its library.
 * @module
 */
import { type Operation, REASON_SINCE } from "./driver.ts";

/** Major, minor, release. */
export type Version = readonly [major: number, minor: number, release: number];

/**
 * The version of a library by its file name: `libvirt.so.0.9000.0` is 9.0.0, `libvirt.so.0.10005.0` is 10.5.0; `undefined`
 * for any other name. libvirt's `meson.build`: `libvirt_age = 1000 * major + minor`, `libvirt_revision = micro`, and the
 * library is `libvirt.so.0.AGE.REVISION`. In a path the last part counts.
 */
export function versionOfLibrary(path: string): Version | undefined {
  const [, age, revision] = /(?:^|\/)libvirt\.so\.0\.(\d{1,7})\.(\d{1,4})(?: \(deleted\))?$/.exec(path) ?? [];
  if (age === undefined || revision === undefined) return undefined;
  return [Math.floor(Number(age) / 1000), Number(age) % 1000, Number(revision)];
}

/** `9.0.0` */
export function versionText(version: Version): string {
  return version.join(".");
}

/** Reads `9.0.0`; a part that is not said is 0. */
export function parseVersion(text: string): Version {
  const [major = 0, minor = 0, release = 0] = text.split(".").map(Number);
  return [major, minor, release];
}

/** Whether one version is older than another. */
export function isOlder(version: Version, than: Version): boolean {
  const differing = version.findIndex((part, index) => part !== than[index]);
  return differing !== -1 && (version[differing] ?? 0) < (than[differing] ?? 0);
}

/** Whether libvirt of a version makes the call of an operation. */
export function callsOperation(version: Version, { since, until }: Pick<Operation, "since" | "until">): boolean {
  if (isOlder(version, parseVersion(since))) return false;
  return until === undefined || isOlder(version, parseVersion(until));
}

/** Whether libvirt of a version passes the shut-off reason to the hooks. */
export function passesReason(version: Version): boolean {
  return !isOlder(version, parseVersion(REASON_SINCE));
}
