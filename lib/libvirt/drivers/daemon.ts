import type { Driver } from "../driver.ts";
import { SECOND } from "./phases.ts";

/** The operations of `/etc/libvirt/hooks/daemon`. stdin is `/dev/null`; every modular daemon runs the same file. */
export const daemon = {
  name: "daemon",
  object: "daemon",
  stdin: "nothing",
  renamed: {},
  reasonAt: [],
  operations: {
    start: {
      subOperation: "-",
      verb: "ensure",
      lifetimes: ["network"],
      onFailure: "ignored",
      filter: false,
      budgetMs: 10 * SECOND,
      since: "0.8.0",
      source: "main (remote_daemon.c)",
      note: "runs before the daemon's sockets exist; the daemon waits for it",
    },
    reload: {
      subOperation: "begin",
      verb: "ensure",
      lifetimes: ["network"],
      onFailure: "ignored",
      filter: false,
      budgetMs: 20 * SECOND,
      since: "0.8.0",
      source: "daemonReloadHandlerThread (remote_daemon.c)",
      note: "the extra argument is SIGHUP",
    },
    shutdown: {
      subOperation: "-",
      verb: "observe",
      lifetimes: [],
      onFailure: "ignored",
      filter: false,
      budgetMs: 10 * SECOND,
      since: "0.8.0",
      source: "main (remote_daemon.c)",
      note: "not called when the daemon is killed or forced to end",
    },
  },
} as const satisfies Driver;
