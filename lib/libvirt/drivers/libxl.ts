import type { Driver } from "../driver.ts";
import { alive, ending, filtering, SECOND, starting } from "./phases.ts";

/** The operations of `/etc/libvirt/hooks/libxl` (Xen). Read in libvirt's source, never run against a hypervisor by us. */
export const libxl = {
  name: "libxl",
  object: "domain",
  stdin: "domain",
  renamed: {},
  reasonAt: [],
  operations: {
    prepare: {
      ...starting,
      verb: "acquire",
      lifetimes: ["domain"],
      budgetMs: 60 * SECOND,
      since: "2.1.0",
      source: "libxlDomainStartPrepare",
      note: "after a failure neither stopped nor release follows",
    },
    start: {
      ...starting,
      verb: "observe",
      lifetimes: [],
      budgetMs: 20 * SECOND,
      since: "2.1.0",
      source: "libxlDomainStartNew",
    },
    started: {
      ...alive,
      verb: "acquire",
      lifetimes: ["running"],
      budgetMs: 20 * SECOND,
      since: "2.1.0",
      source: "libxlDomainStartNew",
    },
    stopped: {
      ...ending,
      verb: "release",
      lifetimes: ["running"],
      budgetMs: 20 * SECOND,
      since: "2.1.0",
      source: "libxlDomainCleanup",
    },
    release: {
      ...ending,
      verb: "release",
      lifetimes: ["domain", "running"],
      budgetMs: 20 * SECOND,
      since: "2.1.0",
      source: "libxlDomainCleanup",
      note: "never with a shut-off reason",
    },
    reconnect: {
      subOperation: "begin",
      verb: "ensure",
      lifetimes: ["domain", "running"],
      onFailure: "abandons",
      filter: false,
      budgetMs: 20 * SECOND,
      since: "2.1.0",
      source: "libxlReconnectDomain",
      note: "older versions destroy the guest, as the documentation says; 11.3 only forgets it",
    },
    migrate: {
      ...filtering,
      budgetMs: 60 * SECOND,
      since: "2.1.0",
      source: "libxlDomainMigrationDstPrepare",
      note: "libvirt does not check what a rewrite changes",
    },
  },
} as const satisfies Driver;
