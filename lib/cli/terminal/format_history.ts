/**
 * What a line of the history says beyond its message: what of the host changed, and what else was found.
 * @module
 */
import * as v from "valibot";
import { visible } from "../../text/quote.ts";
import { changeLines, shortKey } from "./format_holder.ts";

/** A line beneath an entry. */
export interface Detail {
  readonly text: string;
  /** Whether the entry needs the attention of an administrator. */
  readonly isBad: boolean;
}

const partSchema = v.object({
  ...{ guest: v.string(), rule: v.optional(v.string(), ""), text: v.string() },
  ports: v.optional(v.array(v.string()), []),
});
const changeSchema = v.object({ from: v.string(), to: v.string(), parts: v.optional(v.array(partSchema), []) });
const actionSchema = v.object({ resource: v.string(), change: changeSchema });
const editSchema = v.object({ changes: v.array(v.object({ line: v.number(), from: v.string(), to: v.string() })) });
const failureSchema = v.object({ rule: v.string(), problem: v.string() });
const holdSchema = v.object({
  resource: v.string(),
  end: v.string(),
  change: v.optional(changeSchema),
  problem: v.optional(v.string()),
});

/** Reads the details of an entry that any version may have written; what it does not know is left out. */
export function historyDetails(fields: ReadonlyMap<string, unknown>): readonly Detail[] {
  const details = [
    ...items(fields.get("actions"), editSchema).flatMap(({ changes }) => changes).map(({ line, from, to }) => ({
      text: `line ${line}: ${visible(from)} → ${visible(to)}`,
      isBad: false,
    })),
    ...items(fields.get("actions"), actionSchema).flatMap(({ resource, change }) =>
      changeLines(shortKey(resource), change).map((text) => ({ text, isBad: false }))
    ),
    ...items(fields.get("holds"), holdSchema).flatMap(holdDetails),
    ...otherFailures(fields),
    ...items(fields.get("notes"), v.string()).map((note) => ({ text: `note: ${visible(note)}`, isBad: true })),
  ];
  // Holds of one resource are changed in one go, and each of them tells the change.
  return [...new Map(details.map((detail) => [detail.text, detail])).values()];
}

/** The actions that failed and that the message does not name: it has one alone. */
function otherFailures(fields: ReadonlyMap<string, unknown>): readonly Detail[] {
  const message = String(fields.get("message") ?? "");
  return items(fields.get("actions"), failureSchema)
    .map(({ rule, problem }) => `rule "${rule}": ${problem}`)
    .filter((failure) => !message.includes(failure))
    .map((failure) => ({ text: visible(failure), isBad: true }));
}

/** Guests and networks that an entry names beside its object, and ports of the host that it opened or closed. */
export interface Concerned {
  readonly names: readonly string[];
  /** `8080` or `8000-8010` */
  readonly ports: readonly string[];
}

/** Reads the guest or network that an entry concerns. */
export function concernedBy(fields: ReadonlyMap<string, unknown>): Concerned {
  const changes = [
    ...items(fields.get("actions"), actionSchema).map(({ change }) => change),
    ...items(fields.get("holds"), holdSchema).flatMap(({ change }) => change === undefined ? [] : [change]),
  ];
  const parts = changes.flatMap((change) => change.parts);
  return {
    names: [...items(fields.get("guests"), v.string()), ...parts.map(({ guest }) => guest)],
    ports: parts.flatMap(({ ports }) => ports),
  };
}

function items<Item>(list: unknown, schema: v.GenericSchema<unknown, Item>): readonly Item[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const result = v.safeParse(schema, item);
    return result.success ? [result.output] : [];
  });
}

function holdDetails({ resource, end, change, problem }: v.InferOutput<typeof holdSchema>): readonly Detail[] {
  const name = shortKey(resource);
  const hasParts = change !== undefined && change.parts.length > 0;
  const moved = change === undefined || hasParts ? [] : [`${visible(change.from)} → ${visible(change.to)}`];
  const ended = end === "changed" || hasParts ? [] : [visible(end)];
  const said = problem === undefined ? [] : [visible(problem)];
  const rest = [...moved, ...ended, ...said];
  return [
    ...(hasParts ? changeLines(name, change).map((text) => ({ text, isBad: false })) : []),
    ...(rest.length === 0 ? [] : [{ text: `${name}: ${rest.join(", ")}`, isBad: problem !== undefined }]),
  ];
}
