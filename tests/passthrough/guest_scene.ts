/**
 * A test that plays in a guest of our own. Where the machine cannot play it that is said loudly; a machine that calls itself
 * CI has to be able to.
 * @module
 */

import { register } from "../support/register.ts";
import { fetchKernel } from "./kernel.ts";

/** The compiled hooks under test. */
const HOOKS = new URL("../../dist/x86_64-unknown-linux-gnu/hooks", import.meta.url).pathname;

/** Programs by the Debian package that brings them. */
const PROGRAMS = [
  { path: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86" },
  { path: "/bin/busybox", package: "busybox-static" },
  { path: "/bin/kmod", package: "kmod" },
  { path: "/sbin/depmod", package: "kmod" },
  { path: "/usr/bin/apt-get", package: "apt" },
] as const;

async function missingPrerequisites(): Promise<readonly string[]> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return ["not Linux on x86_64"];
  const missing = PROGRAMS.filter(({ path }) => !exists(path)).map(({ path, package: brought }) =>
    `no ${path} (Debian package ${brought})`
  );
  if (missing.length > 0) return missing;
  try {
    await fetchKernel();
    return [];
  } catch (error) {
    return [`no kernel for the guest: ${error instanceof Error ? error.message : String(error)}`];
  }
}

const missing = await missingPrerequisites();

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Registers a test; `play` gets the folder of the compiled hooks. */
export function guestScene(name: string, play: (t: Deno.TestContext, hooks: string) => Promise<void>): void {
  register(name, missing, (t) => play(t, HOOKS));
}
