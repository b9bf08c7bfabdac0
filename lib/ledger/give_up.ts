/**
 * A resource is forgotten by hand: nothing of it is put back any more.
 * @module
 */
import { demandNames } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { forget } from "./forget.ts";
import { resourceFolder } from "./layout.ts";
import { lockResource, removeForgotten } from "./resource_lock.ts";
import type { Work } from "./work.ts";

/** Forgets a resource and its demands; tells whether it could: not while a hook works on it. The host is not touched. */
export async function giveUp(folder: string, work: Work): Promise<boolean> {
  const { sys } = work;
  const lock = await lockResource(folder, { make: false }, work);
  if (lock === "gone") return true;
  if (lock === "late") return false;
  using _lock = lock;
  const { demands, busy } = resourceFolder(folder);
  if (!isFree(busy, work)) return false;
  for (const name of demandNames(folder, sys)) removeIfThere(`${demands}/${name}`, sys);
  forget(folder, sys);
  removeForgotten(folder, sys);
  return true;
}

function isFree(busy: string, { sys }: Work): boolean {
  const lock = sys.lock(busy);
  using _lock = lock;
  return lock !== undefined;
}
