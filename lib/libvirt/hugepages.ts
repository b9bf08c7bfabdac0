/**
 * Which huge pages a guest will take from the host when it starts.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { parseCpuSet } from "./cpu_set.ts";
import { attributeOf, childElements, descend, descendText } from "./elements.ts";
import { elementBytes, memoryBytes, type MemoryModule, memoryModules, scaledBytes, wholeKib } from "./memory.ts";
import { type NumaBinding, numaBinding, numaCells } from "./numa.ts";

/** One part of a guest's memory that is backed by huge pages. */
export interface HugepageDemand {
  /** The guest's NUMA cell, `undefined` for a guest without cells. */
  readonly cell: number | undefined;
  /** `undefined`: the host's default size. A size of the host's ordinary pages means ordinary memory. */
  readonly pageBytes: number | undefined;
  /** `undefined` where the document gives no size that can be read. */
  readonly memoryBytes: number | undefined;
  /** The host nodes it comes from, `undefined` for any. */
  readonly binding: NumaBinding | undefined;
}

interface Page {
  readonly bytes: number | undefined;
  readonly cells: readonly number[] | undefined;
}

/**
 * `/domain/memoryBacking/hugepages`, its `<page size unit nodeset>` (since 1.2.5), and the `<pagesize>` of
 * memory modules of the models `dimm` and `virtio-mem`. Everywhere. Of `virtio-mem` (since 7.9.0) it is what the guest begins
 * with, `<requested>`: what it gets later, up to `<size>`, libvirt takes when it is asked for.
 *
 * Follows libvirt: a cell takes the page that names it in `nodeset`, else the last one that names none, else ordinary
 * memory.
 */
export function hugepageDemands(domain: XmlElement): readonly HugepageDemand[] {
  const modules = memoryModules(domain);
  const parts = ownMemory(domain, modules);
  const pages = wantedPages(domain, numaCells(domain).length > 0);
  const demands: HugepageDemand[] = [];
  for (const part of parts) {
    const page = pageFor(pages, part.cell);
    if (page !== undefined) demands.push({ ...part, pageBytes: page.bytes, binding: numaBinding(domain, part.cell) });
  }
  for (const module of modules.filter(isOfHost)) {
    const demand = moduleDemand(domain, module, pageFor(pages, module.cell));
    if (demand !== undefined) demands.push(demand);
  }
  return demands;
}

/** All of a guest's memory, in the parts that can come from different nodes of the host: as if it asked for huge pages. */
export function wholeMemory(domain: XmlElement): readonly HugepageDemand[] {
  const modules = memoryModules(domain);
  return [
    ...ownMemory(domain, modules).map((part) => ({ ...part, binding: numaBinding(domain, part.cell) })),
    ...modules.filter(isOfHost).map((module) => moduleMemory(domain, module)),
  ].map((part) => ({ ...part, pageBytes: undefined }));
}

/** The other models are files, or memory that the host sets apart. */
function isOfHost({ model }: MemoryModule): boolean {
  return model === "dimm" || model === "virtio-mem";
}

/** The memory that a guest begins with, by its cells. */
function ownMemory(
  domain: XmlElement,
  modules: readonly MemoryModule[],
): readonly Pick<HugepageDemand, "cell" | "memoryBytes">[] {
  const cells = numaCells(domain);
  return cells.length > 0
    ? cells.map(({ id, memoryBytes }) => ({ cell: id, memoryBytes }))
    : [{ cell: undefined, memoryBytes: withoutModules(domain, modules) }];
}

function wantedPages(domain: XmlElement, hasCells: boolean): readonly Page[] {
  const hugepages = descend(domain, "memoryBacking", "hugepages");
  if (hugepages === undefined) return [];
  const pages = childElements(hugepages, "page");
  if (pages.length === 0) return [{ bytes: undefined, cells: undefined }];
  return pages.map((page) => {
    const cells = parseCpuSet(attributeOf(page, "nodeset"));
    const bytes = scaledBytes(attributeOf(page, "size"), attributeOf(page, "unit"));
    // Without cells libvirt reads nodeset='0' as "all of it".
    return { bytes, cells: !hasCells && cells?.length === 1 && cells[0] === 0 ? undefined : cells };
  });
}

function pageFor(pages: readonly Page[], cell: number | undefined): Page | undefined {
  const named = cell === undefined ? undefined : pages.find(({ cells }) => cells?.includes(cell));
  return named ?? pages.findLast(({ cells }) => cells === undefined);
}

function moduleDemand(domain: XmlElement, module: MemoryModule, page: Page | undefined): HugepageDemand | undefined {
  const ownBytes = elementBytes(descend(module.element, "source", "pagesize"));
  if (ownBytes === undefined && page === undefined) return undefined;
  return { ...moduleMemory(domain, module), pageBytes: ownBytes ?? page?.bytes };
}

/** What a module begins with, and where it comes from: libvirt prefers the module's `<nodemask>` to `<numatune>`. */
function moduleMemory(
  domain: XmlElement,
  { cell, model, sizeBytes, element }: MemoryModule,
): Omit<HugepageDemand, "pageBytes"> {
  const requested = descend(element, "target", "requested");
  const hostNodes = parseCpuSet(descendText(element, "source", "nodemask"));
  const ofCell = numaBinding(domain, cell);
  return {
    cell,
    memoryBytes: model !== "virtio-mem" ? sizeBytes : requested === undefined ? 0 : wholeKib(elementBytes(requested)),
    binding: hostNodes === undefined ? ofCell : { mode: ofCell?.mode ?? "strict", hostNodes },
  };
}

/** What is left of the guest's memory without its modules, which the total holds too. */
function withoutModules(domain: XmlElement, modules: readonly MemoryModule[]): number | undefined {
  const total = memoryBytes(domain);
  if (total === undefined) return undefined;
  const rest = modules.reduce((left, { sizeBytes = 0 }) => left - sizeBytes, total);
  return rest < 0 ? undefined : rest;
}
