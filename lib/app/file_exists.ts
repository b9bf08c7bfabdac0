/**
 * What a `file` selector asks of the host.
 * @module
 */
import type { FileExists } from "../rules/match.ts";
import type { Sys } from "../sys/sys.ts";

/** Whether there is something at a path. Behind a link to itself, or under a name that is too long, nothing can be. */
export function fileExists(sys: Pick<Sys, "lstat">): FileExists {
  return (path) => {
    try {
      return sys.lstat(path) !== undefined;
    } catch {
      // A folder on the way may be another user's, who must not be able to turn a rule into a failure.
      return false;
    }
  };
}
