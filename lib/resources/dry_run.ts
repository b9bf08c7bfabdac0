/**
 * Kinds of resources that only record what they are told to write.
 * @module
 */
import { overlaySys } from "../sys/overlay_sys.ts";
import type { Sys } from "../sys/sys.ts";
import type { Host, Kinds } from "./kinds.ts";
import type { Resource, ResourceChange } from "./resource.ts";

/** A write that was recorded. */
export interface RecordedWrite extends Pick<ResourceChange<unknown>, "key" | "from" | "to"> {
  readonly resource: Resource;
}

/** A host on which everything can be run and nothing is changed. */
export interface DryRun extends Host {
  /** What would have been written, in order. */
  readonly writes: readonly RecordedWrite[];
  /** The value of a resource by now, for people; `undefined` where it was not read. */
  describe(key: string): string | undefined;
}

/** Makes a dry run of a host. Its kinds read the host; once they have written a value, that is what they read. */
export function dryRun({ kinds, sys }: Host): DryRun {
  const writes: RecordedWrite[] = [];
  const values = new Map<
    string,
    { readonly value: unknown; readonly resource: Resource; readonly isWritten: boolean }
  >();
  const loaded = new Map<string, Resource>();
  function record(resource: Resource): Resource {
    return recording(resource, sys, {
      read: (key) => values.get(key),
      note: (key, value, isWritten) => values.set(key, { value, resource, isWritten }),
      write: (write) => writes.push({ ...write, resource }),
    });
  }
  const dryKinds: Kinds = {
    ...kinds,
    load: async (name) => {
      const resource = loaded.get(name) ?? await kinds.load(name);
      if (resource === undefined) return undefined;
      const known = loaded.get(name) ?? record(resource);
      loaded.set(name, known);
      return known;
    },
  };
  return {
    sys: overlaySys(sys),
    kinds: dryKinds,
    writes,
    describe: (key) => {
      const known = values.get(key);
      return known?.resource.describe(known.value);
    },
  };
}

interface RecordStore {
  read(key: string): { readonly value: unknown; readonly isWritten: boolean } | undefined;
  note(key: string, value: unknown, isWritten: boolean): void;
  write(write: Pick<ResourceChange<unknown>, "key" | "from" | "to">): void;
}

/** Other users of a resource are not evicted: that cannot be undone, so it is no part of a dry run. */
function recording({ evict: _evict, ...resource }: Resource, sys: Sys, records: RecordStore): Resource {
  const { refresh, preview, findWarnings, explainDrift } = resource;
  return {
    ...resource,
    resolve: (demand, _sys, requester) => resource.resolve(demand, sys, requester),
    read: async (key, _sys, saved, deadlineMs) => {
      const known = records.read(key);
      if (known?.isWritten) return { kind: "value", value: known.value };
      const reading = await resource.read(key, sys, saved, deadlineMs);
      if (reading.kind === "value") records.note(key, reading.value, false);
      return reading;
    },
    write: ({ key, from, to }) => {
      records.write({ key, from, to });
      records.note(key, to, true);
      return Promise.resolve({ kind: "applied", value: to });
    },
    ...(refresh && { refresh: (demands) => refresh(demands, sys) }),
    ...(preview && { preview: (from, to) => preview(from, to, sys) }),
    ...(findWarnings && { findWarnings: (demand) => findWarnings(demand, sys) }),
    ...(explainDrift && { explainDrift: (saved, actual) => explainDrift(saved, actual, sys) }),
  };
}
