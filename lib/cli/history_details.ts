/**
 * What a line of the history says beyond its message: what of the host changed, and what else was found.
 * @module
 */
import * as v from "valibot";
import { visible } from "../plan/render.ts";
import { shortKey } from "./holder_text.ts";

/** A line beneath an entry. */
export interface Detail {
  readonly text: string;
  /** Whether somebody should look after it. */
  readonly isBad: boolean;
}

const changeSchema = v.object({ from: v.string(), to: v.string() });
const actionSchema = v.object({ resource: v.string(), change: changeSchema });
const holdSchema = v.object({
  resource: v.string(),
  end: v.string(),
  change: v.optional(changeSchema),
  problem: v.optional(v.string()),
});

/** Reads the details of an entry that any version may have written; what it does not know is left out. */
export function historyDetails(fields: ReadonlyMap<string, unknown>): readonly Detail[] {
  return [
    ...items(fields.get("actions"), actionSchema).map(({ resource, change }) => ({
      text: `${shortKey(resource)}: ${arrow(change)}`,
      isBad: false,
    })),
    ...items(fields.get("holds"), holdSchema).map(holdDetail),
    ...items(fields.get("notes"), v.string()).map((note) => ({ text: `note: ${visible(note)}`, isBad: true })),
  ];
}

function items<Item>(list: unknown, schema: v.GenericSchema<unknown, Item>): readonly Item[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const result = v.safeParse(schema, item);
    return result.success ? [result.output] : [];
  });
}

function holdDetail({ resource, end, change, problem }: v.InferOutput<typeof holdSchema>): Detail {
  const moved = change === undefined ? [] : [arrow(change)];
  const ended = end === "changed" ? [] : [visible(end)];
  const said = problem === undefined ? [] : [visible(problem)];
  return { text: `${shortKey(resource)}: ${[...moved, ...ended, ...said].join(", ")}`, isBad: problem !== undefined };
}

function arrow({ from, to }: v.InferOutput<typeof changeSchema>): string {
  return `${visible(from)} → ${visible(to)}`;
}
