/**
 * What a `file` selector asks of the host.
 * @module
 */
import type { FileExists } from "../rules/match.ts";
import { UnansweredError } from "../sys/paths.ts";
import { followPath, type TrustSys } from "../trust/trust.ts";

/** Whether there is something at a path. Behind a link to itself, or under a name that is too long, nothing can be. */
export function fileExists(sys: TrustSys): FileExists {
  return async (path) => {
    try {
      return await followPath(path, { isLast: true }, sys) !== undefined;
    } catch (error) {
      if (error instanceof UnansweredError) return { unknown: error.message };
      // A folder on the way may be another user's, who must not be able to turn a rule into a failure.
      return false;
    }
  };
}
