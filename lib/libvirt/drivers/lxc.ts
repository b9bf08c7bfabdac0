import type { Driver } from "../driver.ts";
import { alive, ending, SECOND, starting } from "./phases.ts";

/** A container's reboot runs all of these in the daemon's main loop, so each call gets little time. */
const LXC_BUDGET_MS = 2 * SECOND;

/** The operations of `/etc/libvirt/hooks/lxc`. */
export const lxc = {
  name: "lxc",
  object: "domain",
  stdin: "domain",
  renamed: {},
  reasonAt: ["release"],
  operations: {
    prepare: {
      ...starting,
      verb: "acquire",
      lifetimes: ["domain"],
      budgetMs: LXC_BUDGET_MS,
      since: "0.9.13",
      source: "virLXCProcessStart",
    },
    start: {
      ...starting,
      verb: "observe",
      lifetimes: [],
      budgetMs: LXC_BUDGET_MS,
      since: "0.8.0",
      source: "virLXCProcessStart",
      note: "veths exist, the controller does not run yet",
    },
    started: {
      ...alive,
      verb: "acquire",
      lifetimes: ["running"],
      budgetMs: LXC_BUDGET_MS,
      since: "0.9.13",
      source: "virLXCProcessStart",
    },
    stopped: {
      ...ending,
      mustNotWait: true,
      verb: "release",
      lifetimes: ["running"],
      budgetMs: LXC_BUDGET_MS,
      since: "0.8.0",
      source: "virLXCProcessCleanup",
      note: "in the daemon's main loop: while it runs, the whole daemon waits",
    },
    release: {
      ...ending,
      mustNotWait: true,
      verb: "release",
      lifetimes: ["domain", "running"],
      budgetMs: LXC_BUDGET_MS,
      since: "0.9.13",
      source: "virLXCProcessCleanup",
      note: "the extra argument is the shut-off reason since 10.5.0",
    },
    reconnect: {
      ...alive,
      verb: "ensure",
      lifetimes: ["domain", "running"],
      budgetMs: LXC_BUDGET_MS,
      since: "0.9.13",
      source: "virLXCProcessReconnectDomain",
    },
  },
} as const satisfies Driver;
