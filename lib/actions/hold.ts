/**
 * Common parts of lasting actions.
 * @module
 */
import * as v from "valibot";
import type { AnyDemand } from "../plan/demand.ts";
import type { HostEnd } from "../plan/nft_demand.ts";
import type { Hold, OnError } from "../plan/intent.ts";
import { type Action, lifetimeOf } from "./action.ts";
import type { RuleContext, Scope } from "../config/rule_context.ts";
import type { HookCall } from "../libvirt/call.ts";
import { failurePolicy } from "../libvirt/driver.ts";

/** A demand with its description for people. */
export type DemandSpec = AnyDemand & { readonly text: string };

/** Demands of a lasting action, or the reason they cannot be determined. */
export type DemandSpecs = readonly DemandSpec[] | { readonly problem: string };

/** Options for {@linkcode holdAction}. */
export interface HoldOptions {
  /** The action's key in the rule. */
  readonly kind: string;
  readonly lasts: "domain" | "running";
  /** The scopes in which it is allowed. */
  readonly whiles: readonly Scope[];
  readonly usesDocument: boolean;
  readonly programs?: Action["programs"];
  readonly undo?: Action["undo"] | undefined;
  readonly hostEnd?: HostEnd;
  readonly families?: Action["families"];
  readonly onError: OnError | undefined;
  readonly findProblems?: Action["findProblems"];
  /** Determines the demands for a call. Pure. */
  parts(rule: RuleContext, call: HookCall): DemandSpecs;
}

/** Schema entry of `on_error`. */
export function onErrorEntry(): v.OptionalSchema<v.GenericSchema<unknown, OnError>, undefined> {
  return v.optional(v.picklist(["fail", "continue"], '"fail" or "continue"'));
}

/** Creates an action whose demands last for a lifetime. */
export function holdAction(options: HoldOptions): Action {
  const { kind, lasts, usesDocument, programs = [], hostEnd, families } = options;
  return {
    kind,
    lasts,
    usesDocument,
    onError: options.onError,
    programs,
    ...(hostEnd === undefined ? {} : { hostEnd }),
    ...(options.undo === undefined ? {} : { undo: options.undo }),
    ...(families === undefined ? {} : { families }),
    findProblems: async (rule, hookPoints) => {
      const own = await options.findProblems?.(rule, hookPoints) ?? [];
      if (options.whiles.includes(rule.while)) return own;
      const found = `${kind} in a rule for a ${rule.while}`;
      return [{
        path: [],
        found,
        expected: `a rule with while = ${options.whiles.map((one) => `"${one}"`).join(" or ")}`,
      }];
    },
    plan: (rule, call) => {
      const onError = options.onError ?? (failurePolicy(call.facts) === "strict" ? "fail" : "continue");
      const parts = options.parts(rule, call);
      if ("problem" in parts) {
        return [{ kind: "fault", rule: rule.name, action: kind, message: parts.problem, onError }];
      }
      const lifetime = lifetimeOf(lasts, rule);
      return parts.map((part): Hold => ({ ...part, kind: "hold", rule: rule.name, action: kind, lifetime, onError }));
    },
  };
}
