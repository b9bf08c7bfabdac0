/**
 * A plan is carried out.
 * @module
 */
import { hasLedger } from "../ledger/layout.ts";
import type { Plan } from "../plan/plan.ts";
import { executeImmediate } from "./execute.ts";
import { type CallContext, finish } from "./finish.ts";
import type { Outcome } from "./outcome.ts";
import { deadlineOf } from "./time_limit.ts";

/** Carries a plan out. */
export async function carryOut(plan: Plan, context: CallContext): Promise<Outcome> {
  const { call } = context;
  const deadlineMs = deadlineOf(call, context.ruleSet);
  const deeds = plan.filter((intent) => intent.kind !== "hold");
  const holds = plan.filter((intent) => intent.kind === "hold");
  const isHolding = call.facts.verb === "acquire" && (holds.length > 0 || hasLedger(context.sys));
  if (!isHolding) return await finish(await executeImmediate(deeds, { call, deadlineMs }, context.sys), [], context);
  const { carryOutHolding } = await import("./carry_out_holds.ts");
  return await carryOutHolding({ deeds, holds, deadlineMs }, context);
}
