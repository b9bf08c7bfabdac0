/**
 * Formats holders and the result of releasing their resources.
 * @module
 */
import type { Liveness } from "../../ledger/liveness.ts";
import type { Converged } from "../../ledger/converge.ts";
import { describeHolder, type Holder, holderId } from "../../ledger/demand_file.ts";
import { quote, visible } from "../../text/quote.ts";
import type { ValueChange } from "../../resources/resource.ts";
import type { CliContext } from "../subcommand.ts";

/** A holder with its driver, as two may have one name. */
export function holderText(holder: Holder): string {
  const text = visible(describeHolder(holder));
  return holder.kind === "domain" ? `${text} (${visible(holder.driver)})` : text;
}

/** What is known of a holder, as the end of a sentence about it. */
export function verdictText(verdict: Liveness): string {
  switch (verdict.kind) {
    case "alive":
      return "exists";
    case "dead":
      return `is gone: ${visible(verdict.because)}`;
    case "stale":
      return `is stale: ${visible(verdict.because)}`;
    case "unknown":
      return `may exist: ${visible(verdict.because)}`;
    default:
      return verdict satisfies never;
  }
}

function movedText({ from, to, parts = [] }: ValueChange): string {
  if (parts.length === 0) return `${visible(from)} → ${visible(to)}`;
  return parts.map(({ guest, text }) => visible(`${guest} ${text}`)).join(", ");
}

/** The end of a key that is one holder's alone. */
const HOLDER_END = /\/(?:[a-z]+\/domain|network|port)\/[0-9a-f-]{36}$/;

/** A resource's key without its holder, where the holder is printed anyway. */
export function shortKey(key: string): string {
  return visible(key.replace(HOLDER_END, ""));
}

/** The command that releases a holder by hand. */
export function releaseCommand(holder: Holder): string {
  return `virt-hooks release ${quote(holderId(holder))}`;
}

/** What changed of a resource: a line for each guest's part, where it has parts. */
export function changeLines(name: string, { from, to, parts = [] }: ValueChange): readonly string[] {
  if (parts.length === 0) return [`${name}: ${visible(from)} → ${visible(to)}`];
  return parts.map(({ guest, text }) => visible(`${guest} ${text}`));
}

/** Formats the result for a resource, or the expected result of a dry run. */
export function convergedText(
  { key, end, change, problem, hint, actual }: Converged & { readonly actual?: string },
  { paint }: Pick<CliContext, "paint">,
): string {
  const name = problem === undefined ? shortKey(key) : visible(key);
  const moved = change === undefined ? "" : movedText(change);
  switch (end) {
    case "changed":
      return `${name}: ${moved}`;
    case "restored":
      return `${name}: ${moved}, as before`;
    case "unchanged":
      return `${name}: stays ${actual === undefined ? "as it is" : visible(actual)}`;
    case "gone":
      return `${name}: is gone, so there is nothing to restore`;
    case "left":
      return paint("yellow", `${name}: ${visible(problem ?? "left as it is")}`);
    case "handed-over":
      return `${name}: left to the hook that is working on it`;
    case "failed":
    case "stuck":
    case "late": {
      const advice = hint === undefined ? "" : ` (${visible(hint)})`;
      return paint("red", `${name}: ${end.toUpperCase()}: ${visible(problem ?? end)}${advice}`);
    }
    default:
      return end satisfies never;
  }
}
