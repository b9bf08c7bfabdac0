import type { Driver } from "../driver.ts";
import { ending, SECOND, starting } from "./phases.ts";

const port = {
  subOperation: "begin",
  lifetimes: ["port"],
  filter: false,
  budgetMs: 20 * SECOND,
  since: "1.2.2",
} as const;

/** The operations of `/etc/libvirt/hooks/network`. */
export const network = {
  name: "network",
  object: "network",
  stdin: "hookData",
  renamed: { plugged: "port-created", unplugged: "port-deleted" },
  reasonAt: [],
  operations: {
    start: {
      ...starting,
      verb: "observe",
      lifetimes: [],
      budgetMs: 20 * SECOND,
      since: "1.2.2",
      source: "networkStartNetwork",
      note: "before the bridge exists",
    },
    started: {
      subOperation: "begin",
      verb: "acquire",
      lifetimes: ["network"],
      onFailure: "leaks",
      filter: false,
      budgetMs: 20 * SECOND,
      since: "1.2.2",
      source: "networkStartNetwork",
      note: "not repeated when the daemon starts; libvirt 9 leaves bridge and dnsmasq behind after a failure",
    },
    stopped: {
      ...ending,
      verb: "release",
      lifetimes: ["network", "port"],
      budgetMs: 20 * SECOND,
      since: "1.2.2",
      source: "networkShutdownNetwork",
    },
    "port-created": {
      ...port,
      verb: "acquire",
      onFailure: "aborts",
      source: "networkNotifyPort, networkAllocatePort",
      note:
        "again for every known port when the daemon starts, also of guests lost while they started; a failure is ignored then",
    },
    "port-deleted": {
      ...port,
      verb: "release",
      onFailure: "ignored",
      source: "networkReleasePort",
      note: "missing after net-destroy",
    },
    updated: {
      subOperation: "begin",
      verb: "ensure",
      lifetimes: ["network"],
      onFailure: "reports",
      filter: false,
      budgetMs: 20 * SECOND,
      since: "1.2.2",
      source: "networkUpdate",
      note: "the change is already made and stays",
    },
  },
} as const satisfies Driver;
