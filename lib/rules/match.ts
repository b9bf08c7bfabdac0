/**
 * Which rules a call matches, and why. Pure: what a selector must know of the host comes as a parameter.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import { matchGlob } from "./glob.ts";
import type { Rule, RuleSet, Selectors, When } from "./rule.ts";

/** What one selector said. */
export interface Verdict {
  readonly holds: boolean;
  /** `domain "web-1" matches "web-*"`, or why not. */
  readonly because: string;
}

/** What one rule said of a call. */
export interface RuleMatch {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The selectors that were looked at, in order; the last one decided. */
  readonly verdicts: readonly Verdict[];
}

/** Tells whether a path exists on the host. */
export type FileExists = (path: string) => boolean;

/** Asks every rule, in order. */
export function matchRules(ruleSet: RuleSet, call: HookCall, exists: FileExists): readonly RuleMatch[] {
  return ruleSet.rules.map((rule) => matchRule(rule, call, exists));
}

function matchRule(rule: Rule, call: HookCall, exists: FileExists): RuleMatch {
  const verdicts: Verdict[] = [];
  for (const verdict of whenVerdicts(rule.when, call, exists)) {
    verdicts.push(verdict);
    if (!verdict.holds) return { rule, matches: false, verdicts };
  }
  for (const table of rule.unless) {
    const excludes = selectorVerdicts(table, call, exists).toArray();
    if (excludes.every((verdict) => verdict.holds)) {
      const because = `unless ${excludes.map((verdict) => verdict.because).join(", ")}`;
      return { rule, matches: false, verdicts: [...verdicts, { holds: false, because }] };
    }
  }
  return { rule, matches: true, verdicts };
}

function* whenVerdicts(when: When, call: HookCall, exists: FileExists): Generator<Verdict> {
  if (when.on !== undefined) yield oneOf("operation", call.operation, when.on);
  yield* selectorVerdicts(when, call, exists);
}

function* selectorVerdicts(selectors: Selectors, call: HookCall, exists: FileExists): Generator<Verdict> {
  if (selectors.driver !== undefined) yield oneOf("driver", call.driver, selectors.driver);
  if (selectors.domain !== undefined) yield globbed("domain", call.domain, selectors.domain);
  if (selectors.network !== undefined) yield globbed("network", call.network, selectors.network);
  if (selectors.host !== undefined) yield globbed("host", call.host, selectors.host);
  if (selectors.reason !== undefined) yield globbed("reason", call.reason, selectors.reason);
  if (selectors.file !== undefined) yield present(selectors.file, exists);
}

function oneOf(what: string, value: string, wanted: readonly string[]): Verdict {
  return wanted.includes(value)
    ? { holds: true, because: `${what} is ${value}` }
    : { holds: false, because: `${what} is ${value}, not ${wanted.join(" or ")}` };
}

function globbed(what: string, value: string | undefined, globs: readonly string[]): Verdict {
  if (value === undefined) return { holds: false, because: `this call has no ${what}` };
  const glob = globs.find((candidate) => matchGlob(candidate, value));
  const shown = JSON.stringify(value);
  return glob === undefined
    ? { holds: false, because: `${what} ${shown} does not match ${globs.map((g) => JSON.stringify(g)).join(" or ")}` }
    : { holds: true, because: `${what} ${shown} matches ${JSON.stringify(glob)}` };
}

function present(paths: readonly string[], exists: FileExists): Verdict {
  const path = paths.find(exists);
  return path === undefined
    ? { holds: false, because: `there is no ${paths.join(" nor ")}` }
    : { holds: true, because: `${path} is there` };
}
