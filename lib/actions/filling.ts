/**
 * `${…}` in a rule's strings: values of the call, each filling the whole or a part of one string, never splitting it.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { Place } from "./action.ts";

interface Filling {
  /** Whether calls at this place can have the value. */
  at(place: Place): boolean;
  value(call: HookCall): string | undefined;
}

const FILLINGS: Readonly<Record<string, Filling>> = {
  domain: { at: (place) => place.driver.object === "domain", value: (call) => call.domain },
  network: { at: (place) => place.driver.object === "network", value: (call) => call.network },
  host: { at: () => true, value: (call) => call.host },
  operation: { at: () => true, value: (call) => call.operation },
  reason: { at: (place) => place.driver.reasonAt.includes(place.operation), value: (call) => call.reason },
};

/** A string of a rule, cut at its fillings. */
export interface Template {
  readonly text: string;
  readonly parts: readonly ({ readonly kind: "text" | "filling"; readonly text: string })[];
}

const KNOWN = Object.keys(FILLINGS).map((name) => `\${${name}}`).join(" ");

/** A string with fillings, as a schema. `$${` stands for `${` itself. */
export function templateSchema(): v.GenericSchema<string, Template> {
  return v.pipe(
    v.string("a string"),
    v.check((text) => !text.includes("\0"), "a string without a NUL character"),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const template = cut(dataset.value);
      const unknown = template.parts.find((part) => part.kind === "filling" && !Object.hasOwn(FILLINGS, part.text));
      if (unknown === undefined) return template;
      addIssue({ message: `one of the fillings ${KNOWN} ($\${ for a plain \${)` });
      return NEVER;
    }),
  );
}

function cut(text: string): Template {
  const parts: Template["parts"][number][] = [];
  let end = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)\}?/g)) {
    if (match.index > end) parts.push({ kind: "text", text: text.slice(end, match.index) });
    parts.push(match[0] === "$${" ? { kind: "text", text: "${" } : { kind: "filling", text: match[1] ?? "" });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return { text, parts };
}

/** Whether anything of the call gets into the string. */
export function hasFilling(template: Template): boolean {
  return template.parts.some((part) => part.kind === "filling");
}

/** Whether the string's first character comes from the call. */
export function beginsWithFilling(template: Template): boolean {
  return template.parts[0]?.kind === "filling";
}

/** The fillings of a string that no call at these places can have. */
export function emptyFillings(template: Template, places: readonly Place[]): readonly string[] {
  return template.parts
    .filter((part) => part.kind === "filling" && !places.some((place) => FILLINGS[part.text]?.at(place)))
    .map((part) => `\${${part.text}}`);
}

/** A filled string, or the filling that has no value at this call. */
export type Filled =
  | { readonly kind: "filled"; readonly text: string }
  | { readonly kind: "missing"; readonly filling: string };

/** Fills a string with the values of a call. */
export function fill(template: Template, call: HookCall): Filled {
  let text = "";
  for (const part of template.parts) {
    const value = part.kind === "text" ? part.text : FILLINGS[part.text]?.value(call);
    if (value === undefined) return { kind: "missing", filling: `\${${part.text}}` };
    text += value;
  }
  return { kind: "filled", text };
}
