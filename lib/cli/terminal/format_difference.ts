/**
 * How a running guest differs from the rules, in lines as of a diff.
 * @module
 */
import type { GuestDifference } from "../report/rules_difference.ts";
import type { DemandRecord } from "../../ledger/demand_file.ts";
import type { Hold } from "../../plan/intent.ts";
import type { ForwardDemand } from "../../plan/nft_demand.ts";
import { visible } from "../../text/quote.ts";
import { nftDemandIn } from "../../resources/nft.ts";
import { portText } from "../../resources/nft/rules.ts";
import type { CliContext } from "../subcommand.ts";
import { shortKey } from "./format_holder.ts";

/** `- tcp 8080 → :80  (rule "web")`: what the guest would lose, then what it would get. */
export function differenceLines(difference: GuestDifference, { paint }: Pick<CliContext, "paint">): readonly string[] {
  if (difference.kind !== "compared") return [];
  return [
    ...difference.removed.map((record) => paint("red", `- ${recordText(record)}${ruleText(record.rule)}`)),
    ...difference.added.map((hold) => paint("green", `+ ${holdText(hold)}${ruleText(hold.rule)}`)),
  ];
}

function ruleText(rule: string): string {
  return `  (rule ${JSON.stringify(visible(rule))})`;
}

function recordText({ key, resource, demand }: DemandRecord): string {
  const forward = resource === "nft" ? nftDemandIn(demand) : undefined;
  return forward?.kind !== "forward" ? shortKey(key) : forwardText(forward);
}

function holdText(hold: Hold): string {
  const forward = hold.resource === "nft" ? nftDemandIn(hold.demand) : undefined;
  return forward?.kind !== "forward" ? visible(hold.text) : forwardText(forward);
}

/** `tcp 8080 → :80`, with the host's addresses and the clients where some are meant. */
function forwardText({ protocol, hostAddresses, hostPorts, guestPort, from }: ForwardDemand): string {
  const last = guestPort + hostPorts.last - hostPorts.first;
  const at = hostAddresses.length === 0 ? "" : `${hostAddresses.join(", ")} `;
  const origin = from.length === 0 ? "" : ` from ${from.join(", ")}`;
  const word = protocol === "both" ? "tcp+udp" : protocol;
  return visible(`${at}${word} ${portText(hostPorts)} → :${portText({ first: guestPort, last })}${origin}`);
}
