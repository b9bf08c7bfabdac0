/**
 * A plan as text, for people.
 * @module
 */
import type { Lifetime } from "./demand.ts";
import type { Intent, OnError } from "./intent.ts";
import type { Plan } from "./plan.ts";
import { quote, visible } from "../text/quote.ts";

/** One line an intent; an empty plan says so. */
export function renderPlan(plan: Plan): readonly string[] {
  return plan.length === 0 ? ["nothing to do"] : plan.map(renderIntent);
}

/** What an intent does, without its rule's name. */
export function renderIntent(intent: Intent): string {
  switch (intent.kind) {
    case "deny":
      return `deny  ${quote(intent.message)}`;
    case "edit":
      return `edit  ${visible(intent.step.text)}${onErrorNote(intent.onError)}`;
    case "fault":
      return `FAIL  ${intent.action}: ${visible(intent.message)}${onErrorNote(intent.onError)}`;
    case "run": {
      const limit = intent.timeoutMs === undefined ? "" : `, for ${intent.timeoutMs / 1000} s at most`;
      const input = intent.input === "document" ? ", the document on its stdin" : "";
      const output = intent.output === "document" ? ", the new document from its stdout" : "";
      return `run   ${intent.argv.map(quote).join(" ")}${input}${output}${limit}${onErrorNote(intent.onError)}`;
    }
    case "hold":
      return `hold  ${visible(intent.text)}${LASTING[intent.lifetime]}${onErrorNote(intent.onError)}`;
    default:
      return intent satisfies never;
  }
}

const LASTING = {
  domain: ", until the guest is gone",
  running: ", while the guest runs",
  network: ", while the network is active",
  port: ", while the interface is on the network",
} as const satisfies Record<Lifetime, string>;

function onErrorNote(onError: OnError): string {
  return onError === "fail" ? "; a failure fails the call" : "; a failure is noted";
}
