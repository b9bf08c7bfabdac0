/**
 * What the machine must have to boot a systemd of a test's own, and which of it is missing.
 * @module
 */

/** Programs by the Debian package that brings them. */
const PROGRAMS = [
  { program: "/usr/bin/systemd-nspawn", package: "systemd-container" },
  { program: "/usr/lib/systemd/systemd", package: "systemd" },
  { program: "/usr/bin/systemctl", package: "systemd" },
  { program: "/usr/bin/nsenter", package: "util-linux" },
] as const;

/** Everything that is missing, each with what to do; empty when the tests can run. */
export function missingForSystemd(): readonly string[] {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return ["not Linux on x86_64"];
  if (Deno.uid() !== 0) return ["not root"];
  const missing = PROGRAMS.filter(({ program }) => !exists(program))
    .map(({ program, package: brought }) => `no ${program} (Debian package ${brought})`);
  if (missing.length > 0) return missing;
  if (!Deno.lstatSync("/bin").isSymlink) return ["/bin is no link to /usr/bin, so /usr alone cannot be booted"];
  return navigator.hardwareConcurrency < 2 ? ["only one CPU: none can be isolated"] : [];
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
