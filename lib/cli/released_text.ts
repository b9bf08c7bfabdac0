/**
 * Results of a dry run, in words.
 * @module
 */
import type { Converged } from "../ledger/converge.ts";
import { allDemands } from "../ledger/reconcile.ts";
import { heldOf } from "../ledger/target.ts";
import type { DryRun } from "../resources/dry_run.ts";
import { visible } from "../text/quote.ts";
import type { CliContext } from "./subcommand.ts";
import { convergedText } from "./terminal/format_holder.ts";

/** Where a dry run is printed. */
export type DryRunContext = Pick<CliContext, "paint"> & DryRun;

/** One result; of what stays, the current value. */
export function dryConvergedText(converged: Converged, { paint, describe }: DryRunContext): string {
  const actual = describe(converged.key);
  return convergedText({ ...converged, ...(actual === undefined ? {} : { actual }) }, { paint });
}

/** The result of a release, with the other holders for which the resource is still needed. */
export function releasedText(converged: Converged, context: DryRunContext): string {
  const line = dryConvergedText(converged, context);
  const others = allDemands({ sys: context.sys, notes: [], looksOnly: true })
    .filter(({ record }) => record.key === converged.key).map(heldOf);
  return others.length === 0
    ? line
    : `${line}, still in use by: ${others.map(({ holder }) => visible(holder)).join(", ")}`;
}
