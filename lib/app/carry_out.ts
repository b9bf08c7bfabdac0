/**
 * A plan is carried out.
 * @module
 */
import { hasLedger } from "../ledger/layout.ts";
import type { Plan } from "../plan/plan.ts";
import { executeDeeds } from "./execute.ts";
import { type Errand, finish } from "./finish.ts";
import type { Outcome } from "./outcome.ts";
import { deadlineOf } from "./time_limit.ts";

/** Carries a plan out. */
export async function carryOut(plan: Plan, errand: Errand): Promise<Outcome> {
  const { call } = errand;
  const deadlineMs = deadlineOf(call, errand.ruleSet);
  const deeds = plan.filter((intent) => intent.kind !== "hold");
  const holds = plan.filter((intent) => intent.kind === "hold");
  const isHolding = call.facts.verb === "acquire" && (holds.length > 0 || hasLedger(errand.sys));
  if (!isHolding) return await finish(await executeDeeds(deeds, { call, deadlineMs }, errand.sys), [], errand);
  const { carryOutHolding } = await import("./carry_out_holds.ts");
  return await carryOutHolding({ deeds, holds, deadlineMs }, errand);
}
