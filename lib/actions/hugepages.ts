/**
 * `hugepages = { size = "2M" }`: huge pages during a guest's lifetime, as many as its memory needs.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { type HugepageDemand, hugepageDemands, wholeMemory } from "../libvirt/hugepages.ts";
import { numaBinding } from "../libvirt/numa.ts";
import type { HugepagesDemand, HugepagesPart } from "../plan/demand.ts";
import type { OnError } from "../plan/intent.ts";
import { pageSizeText, parsePageSize } from "../config/page_size.ts";
import type { XmlElement } from "../xml/tree.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleProblem } from "../config/rule_context.ts";
import { type DemandSpec, type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { tableSchema } from "../config/table_schema.ts";

const KIB = 1024;
const PAGES_MAX = 2 ** 31 - 1;
const SIZE = '"2M", "1G", "default" or another size of huge pages, such as "64K"';
/** Pages of this size are ordinary memory, even if a guest's XML calls them huge pages. */
const ORDINARY_PAGE_BYTES = 4 * KIB;

interface HugepagesConfig {
  readonly sizeKib: HugepagesDemand["sizeKib"] | undefined;
  readonly pages: number | undefined;
  readonly onError: OnError | undefined;
}

/** Schema of `hugepages`. */
export function hugepagesSchema(): v.GenericSchema<unknown, Action> {
  const count = `a whole number of pages, from 1 to ${PAGES_MAX}`;
  return v.pipe(
    tableSchema({
      size: v.optional(sizeSchema()),
      pages: v.optional(
        v.pipe(v.number(count), v.integer(count), v.minValue(1, count), v.maxValue(PAGES_MAX, count)),
      ),
      on_error: onErrorEntry(),
    }, 'a table, such as { size = "2M" }'),
    v.transform(({ size, pages, on_error }) => hugepages({ sizeKib: size, pages, onError: on_error })),
  );
}

function sizeSchema(): v.GenericSchema<unknown, HugepagesDemand["sizeKib"]> {
  return v.pipe(
    v.string(SIZE),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const sizeKib = dataset.value === "default" ? dataset.value : parsePageSize(dataset.value);
      if (sizeKib !== undefined) return sizeKib;
      addIssue({ message: SIZE });
      return NEVER;
    }),
  );
}

function hugepages(config: HugepagesConfig): Action {
  return holdAction({
    kind: "hugepages",
    lasts: "domain",
    whiles: ["guest"],
    usesDocument: true,
    onError: config.onError,
    findProblems: (_rule, hookPoints) => sizeProblems(hookPoints),
    parts: (_rule, call) => partsOf(config, call),
  });
}

function sizeProblems(hookPoints: readonly HookPoint[]): readonly RuleProblem[] {
  if (hookPoints.some(({ driver }) => driver.name !== "libxl")) return [];
  return [{
    path: [],
    found: "hugepages of libxl",
    expected: "another driver: Xen's guests take nothing of this kernel",
  }];
}

function partsOf(config: HugepagesConfig, call: HookCall): DemandSpecs {
  const domain = call.xml().root;
  return config.pages === undefined ? memoryDemands(config, domain) : [pagesDemand(config.pages, config, domain)];
}

/** Returns the demand for a fixed number of pages, on the nodes of the guest's whole memory. */
function pagesDemand(pages: number, { sizeKib }: HugepagesConfig, domain: XmlElement): DemandSpec {
  const nodes = numaBinding(domain, undefined)?.hostNodes ?? [];
  const [requested] = requestedHugepages(domain);
  return demandSpec(sizeKib ?? sizeOf(requested), [{ nodes, amount: { unit: "pages", pages } }]);
}

/**
 * Returns the demands for the memory that the guest backs with huge pages; for all its memory if its XML requests
 * none.
 */
function memoryDemands({ sizeKib }: HugepagesConfig, domain: XmlElement): DemandSpecs {
  const requested = requestedHugepages(domain);
  const fitting = requested.filter((one) =>
    sizeKib === undefined || one.pageBytes === undefined || sizeOf(one) === sizeKib
  );
  if (requested.length > 0 && fitting.length === 0) {
    const sizes = [...new Set(requested.map((one) => pageSizeText(sizeOf(one))))].join(" and ");
    const given = pageSizeText(sizeKib ?? "default");
    return { problem: `the guest takes huge pages of ${sizes}, and the rule gives ${given}` };
  }
  const taken = requested.length === 0 ? wholeMemory(domain) : fitting;
  if (taken.some(({ memoryBytes }) => memoryBytes === undefined)) {
    return { problem: "the guest's XML does not say how much memory it takes, or says 8 PiB or more" };
  }
  const bySize = Map.groupBy(taken, (one) => one.pageBytes === undefined ? sizeKib ?? "default" : sizeOf(one));
  return [...bySize].flatMap(([size, ones]) => {
    const parts = ones.filter(({ memoryBytes }) => memoryBytes !== 0).map(memoryPart);
    return parts.length === 0 ? [] : [demandSpec(size, parts)];
  });
}

function requestedHugepages(domain: XmlElement): readonly HugepageDemand[] {
  return hugepageDemands(domain).filter(({ pageBytes }) => pageBytes !== ORDINARY_PAGE_BYTES);
}

function memoryPart({ memoryBytes = 0, binding }: HugepageDemand): HugepagesPart {
  return { nodes: binding?.hostNodes ?? [], amount: { unit: "memory", bytes: memoryBytes } };
}

function sizeOf(demand: HugepageDemand | undefined): HugepagesDemand["sizeKib"] {
  return demand?.pageBytes === undefined ? "default" : demand.pageBytes / KIB;
}

function demandSpec(sizeKib: HugepagesDemand["sizeKib"], parts: readonly HugepagesPart[]): DemandSpec {
  return { resource: "hugepages", demand: { sizeKib, parts }, text: partText(sizeKib, parts) };
}

/** Describes a demand: `huge pages of 2M: 1024 MiB on node 0 and 1024 MiB on node 1`. */
function partText(sizeKib: HugepagesDemand["sizeKib"], parts: readonly HugepagesPart[]): string {
  const amounts = parts.map(({ nodes, amount }) => {
    const count = amount.unit === "pages"
      ? `${amount.pages} ${amount.pages === 1 ? "page" : "pages"}`
      : `${Math.ceil(amount.bytes / KIB / KIB)} MiB`;
    return nodes.length === 0 ? count : `${count} on ${nodes.length === 1 ? "node" : "nodes"} ${nodes.join(", ")}`;
  });
  return `huge pages of ${pageSizeText(sizeKib)}: ${amounts.join(" and ")}`;
}
