/**
 * Who holds: a guest under one driver, a network, or a port of a network. Never a name: names are for people.
 * @module
 */
import * as v from "valibot";

/** A holder. */
export type Holder =
  | { readonly kind: "domain"; readonly driver: string; readonly uuid: string; readonly name: string }
  | { readonly kind: "network"; readonly uuid: string; readonly name: string }
  | {
    readonly kind: "port";
    readonly uuid: string;
    /** The network's UUID and name. */
    readonly network: string;
    readonly name: string;
    /** The guest's UUID. */
    readonly owner: string | undefined;
    /** The guest's name, after which libvirt names its status file. */
    readonly ownerName?: string | undefined;
  };

/** A holder, as a schema. */
export const holderSchema: v.GenericSchema<unknown, Holder> = v.variant("kind", [
  v.object({ kind: v.literal("domain"), driver: v.string(), uuid: v.string(), name: v.string() }),
  v.object({ kind: v.literal("network"), uuid: v.string(), name: v.string() }),
  v.pipe(
    v.object({
      kind: v.literal("port"),
      uuid: v.string(),
      network: v.string(),
      name: v.string(),
      owner: v.optional(v.string()),
      ownerName: v.optional(v.string()),
    }),
    v.transform((port) => ({ ...port, owner: port.owner })),
  ),
]);

/** What tells holders apart: `qemu/domain/UUID`, `network/UUID`, `port/UUID`. */
export function holderId(holder: Holder): string {
  return holder.kind === "domain" ? `${holder.driver}/domain/${holder.uuid}` : `${holder.kind}/${holder.uuid}`;
}

/** A holder, for people. */
export function describeHolder(holder: Holder): string {
  switch (holder.kind) {
    case "domain":
      return `guest ${JSON.stringify(holder.name)}`;
    case "network":
      return `network ${JSON.stringify(holder.name)}`;
    case "port":
      return `a port of network ${JSON.stringify(holder.name)}`;
    default:
      return holder satisfies never;
  }
}
