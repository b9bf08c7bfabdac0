/**
 * Lists what a change of our table opens and closes, port by port.
 * @module
 */
import type { NftDemand } from "../../plan/nft_demand.ts";
import type { ChangePart, HeldDemand } from "../resource.ts";
import type { Filter } from "./filter.ts";
import { commentText, portText } from "./rules.ts";

/** Returns the ports and networks that a change opens and closes, each with its guest or network. */
export function filterChanges(
  from: Filter,
  to: Filter,
  held: readonly HeldDemand<NftDemand>[],
): readonly ChangePart[] {
  const [before, after] = [rulesOf(from), rulesOf(to)];
  return [
    ...partsOf("closed", before.difference(after), []),
    ...partsOf("opened", after.difference(before), held),
  ];
}

/** Returns the rules that name a guest or network in their comment, without those for its replies. */
function rulesOf({ table }: Filter): ReadonlySet<string> {
  const rules = table?.chains.flatMap(({ name, rules }) => name === "to_guest" || name === "forward" ? rules : []);
  return new Set((rules ?? []).filter((rule) => / comment "/.test(rule) && !rule.startsWith("ct direction reply ")));
}

function partsOf(
  word: "opened" | "closed",
  rules: ReadonlySet<string>,
  held: readonly HeldDemand<NftDemand>[],
): readonly ChangePart[] {
  return [...rules].map((rule) => {
    const holder = /comment "(.*)"$/.exec(rule)?.[1] ?? "";
    const [, guest = holder, ruleName = ""] =
      /^(?:guest|network|a port of network) (.*) \(rule (.*?)\)?$/.exec(holder) ?? [];
    const { ports, text } = describeRule(rule);
    const source = sourceOf(rule, ports, held);
    return { guest, rule: ruleName, text: `${word} ${text}${source}`, ports };
  });
}

/** Describes a rule: `tcp 8088 → 192.168.122.34:80`, `192.168.122.0/24 tcp 80, 443`. */
function describeRule(rule: string): { readonly ports: readonly string[]; readonly text: string } {
  const [, protocol = "", set = ""] = /(?:^| )(tcp|udp) dport (\{[^}]*\}|\S+)/.exec(rule) ?? [];
  const ports = membersOf(set);
  const [, from = ""] = / ip6? saddr (\{[^}]*\}|\S+)/.exec(` ${rule}`) ?? [];
  const origin = from === "" ? "" : ` from ${membersOf(from).join(", ")}`;
  const [, target] = / dnat ip6? to (.*?) comment "/.exec(rule) ?? [];
  const what = [protocol, ports.join(", ")].filter((part) => part !== "").join(" ");
  if (target !== undefined) return { ports, text: `${what} → ${targetText(target)}${origin}` };
  const [, opened = ""] = / ip6? daddr (\{[^}]*\}|\S+)/.exec(` ${rule}`) ?? [];
  return { ports, text: [membersOf(opened).join(", "), what].filter((part) => part !== "").join(" ") + origin };
}

/** Formats a DNAT target. For a range with other guest ports it is a map from each host port to a guest port. */
function targetText(target: string): string {
  const [, address, pairs] = /^(\S+) : (?:tcp|udp) dport map \{ (.*) \}$/.exec(target) ?? [];
  if (address === undefined || pairs === undefined) return target;
  const ends = pairs.split(", ").map((pair) => pair.split(" : ")[1] ?? "");
  return `${address.includes(":") ? `[${address}]` : address}:${ends[0]}-${ends.at(-1)}`;
}

function membersOf(set: string): readonly string[] {
  return set.replace(/^\{ | \}$/g, "").split(", ").filter((member) => member !== "");
}

/** Returns the source of the guest's address. */
function sourceOf(rule: string, ports: readonly string[], held: readonly HeldDemand<NftDemand>[]): string {
  const one = held.find(({ holder, demand }) =>
    demand.kind === "forward" && rule.endsWith(commentText(holder)) && ports.includes(portText(demand.hostPorts))
  );
  const guest = one?.demand.kind === "forward" ? one.demand.guest : null;
  return guest === null ? "" : ` (${guest.source})`;
}
