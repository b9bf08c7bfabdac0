/**
 * A resource is forgotten by hand: nothing of it is put back any more.
 * @module
 */
import { demandNames } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { forget } from "./forget.ts";
import { resourceFolder } from "./layout.ts";
import { lockResource, removeForgotten } from "./resource_lock.ts";
import type { ConvergeContext } from "./context.ts";

/** Forgets a resource and its demands; tells whether it could: not while a hook works on it. The host is not touched. */
export async function forgetResource(folder: string, context: ConvergeContext): Promise<boolean> {
  const { sys } = context;
  const lock = await lockResource(folder, { make: false }, context);
  if (lock === "gone") return true;
  if (lock === "late") return false;
  using _lock = lock;
  const { demands, busy } = resourceFolder(folder);
  if (!isFree(busy, context)) return false;
  for (const name of demandNames(folder, sys)) removeIfThere(`${demands}/${name}`, sys);
  forget(folder, sys);
  removeForgotten(folder, sys);
  return true;
}

function isFree(busy: string, { sys }: ConvergeContext): boolean {
  const lock = sys.lock(busy);
  using _lock = lock;
  return lock !== undefined;
}
