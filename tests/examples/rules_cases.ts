/**
 * For each rule in `examples/`: the calls it is meant for, what it does with them, and calls it must leave alone.
 * @module
 */

/** A call, and what of the host the rules can see. */
export interface Asked {
  /** Driver, object, operation; sub-operation and extra argument where they matter. */
  readonly call: readonly string[];
  readonly host?: string;
  /** A file that is there. */
  readonly file?: string;
}

/** What the rule does with the call it is meant for. */
export interface Case {
  readonly file: string;
  readonly rule: string;
  readonly matches: readonly Asked[];
  readonly plan: string;
  readonly spares: readonly Asked[];
}

/** Every rule of every file. */
export const CASES: readonly Case[] = [
  {
    file: "maintenance.toml",
    rule: "maintenance",
    matches: ["prepare", "migrate", "restore"].map((operation) => ({
      call: ["qemu", "web-1", operation],
      host: "hv-01",
      file: "/run/maintenance",
    })),
    plan: 'deny  "hv-01 is in maintenance: start web-1 on another host"',
    spares: [
      { call: ["qemu", "web-1", "prepare"] },
      { call: ["qemu", "web-1", "reconnect"], file: "/run/maintenance" },
      { call: ["qemu", "web-1", "stopped"], file: "/run/maintenance" },
      { call: ["network", "lab", "start"], file: "/run/maintenance" },
    ],
  },
  {
    file: "migration.toml",
    rule: "images of this host",
    matches: [{ call: ["qemu", "web-1", "migrate"] }, { call: ["qemu", "web-1", "restore"] }],
    plan: 'edit  /domain/devices/disk/source/@file: "/srv/images/" becomes "/srv/fast/"; a failure fails the call',
    spares: [
      { call: ["qemu", "mail-1", "migrate"] },
      { call: ["qemu", "web-1", "prepare"] },
      { call: ["libxl", "web-1", "migrate"] },
    ],
  },
  {
    file: "placement.toml",
    rule: "licensed hosts",
    matches: [{ call: ["qemu", "ora-1", "prepare"], host: "hv-01" }, {
      call: ["qemu", "ora-1", "migrate"],
      host: "hv-01",
    }],
    plan: 'deny  "ora-1 is licensed for hv-07 and hv-08, not for hv-01"',
    spares: [
      { call: ["qemu", "ora-1", "prepare"], host: "hv-07" },
      { call: ["qemu", "ora-1", "migrate"], host: "hv-08" },
      { call: ["qemu", "ora-1", "started"], host: "hv-01" },
      { call: ["qemu", "flora-1", "prepare"], host: "hv-01" },
    ],
  },
  {
    file: "placement.toml",
    rule: "no tests in production",
    matches: [{ call: ["lxc", "test-1", "prepare"], host: "prod-1" }, {
      call: ["qemu", "test-1", "migrate"],
      host: "prod-1",
    }],
    plan: 'deny  "prod-1 is a production host: test-1 belongs on a test host"',
    spares: [{ call: ["qemu", "test-1", "prepare"], host: "hv-01" }, {
      call: ["qemu", "web-1", "prepare"],
      host: "prod-1",
    }],
  },
  {
    file: "check-before-start.toml",
    rule: "storage is there",
    matches: [{ call: ["qemu", "web-1", "prepare"] }, { call: ["lxc", "web-1", "prepare"] }],
    plan:
      "run   /usr/local/sbin/check-storage web-1, the document on its stdin, for 10 s at most; a failure fails the call",
    spares: [{ call: ["qemu", "web-1", "start"] }, { call: ["qemu", "mail-1", "prepare"] }],
  },
  {
    file: "notify.toml",
    rule: "a guest died",
    matches: [{ call: ["qemu", "web-1", "release", "end", "crashed"], host: "hv-01" }],
    plan: 'run   /usr/local/sbin/notify-admins "guest web-1 on hv-01: crashed", for 5 s at most; a failure is noted',
    spares: [
      { call: ["qemu", "web-1", "release", "end", "shutdown"] },
      { call: ["qemu", "web-1", "release", "end", "-"] },
      { call: ["qemu", "web-1", "stopped"] },
    ],
  },
  {
    file: "notify.toml",
    rule: "libvirt starts",
    matches: [{ call: ["daemon", "-", "start", "-", "start"], host: "hv-01" }],
    plan: 'run   /usr/local/sbin/notify-admins "libvirt starts on hv-01", for 5 s at most; a failure is noted',
    spares: [{ call: ["daemon", "-", "shutdown"] }, { call: ["qemu", "web-1", "start"] }],
  },
  {
    file: "monitoring.toml",
    rule: "watch guests",
    matches: [
      { call: ["qemu", "web-1", "started"] },
      { call: ["qemu", "web-1", "reconnect"] },
      { call: ["lxc", "web-1", "started"] },
    ],
    plan: "run   /usr/local/sbin/monitoring watch web-1, for 1 s at most; a failure is noted",
    spares: [{ call: ["network", "lab", "started"] }, { call: ["qemu", "web-1", "prepare"] }],
  },
  {
    file: "monitoring.toml",
    rule: "forget guests",
    matches: [{ call: ["qemu", "web-1", "stopped"] }, { call: ["lxc", "web-1", "stopped"] }],
    plan: "run   /usr/local/sbin/monitoring forget web-1, for 1 s at most; a failure is noted",
    spares: [{ call: ["network", "lab", "stopped"] }, { call: ["qemu", "web-1", "release"] }],
  },
  {
    file: "monitoring.toml",
    rule: "expect guests",
    matches: [{ call: ["qemu", "web-1", "migrate"] }, { call: ["libxl", "web-1", "migrate"] }],
    plan: "run   /usr/local/sbin/monitoring expect web-1, for 1 s at most; a failure is noted",
    spares: [{ call: ["qemu", "web-1", "restore"] }],
  },
  {
    file: "network.toml",
    rule: "network record",
    matches: [{ call: ["network", "lab", "started"] }],
    plan:
      "run   /usr/local/sbin/record-network started lab, the document on its stdin, for 5 s at most; a failure is noted",
    spares: [{ call: ["qemu", "web-1", "started"] }, { call: ["network", "lab", "updated"] }],
  },
  {
    file: "network.toml",
    rule: "lab ports",
    matches: [{ call: ["network", "lab", "port-created"] }],
    plan:
      "run   /usr/local/sbin/record-network port-created lab, the document on its stdin, for 5 s at most; a failure is noted",
    spares: [{ call: ["network", "default", "port-created"] }, { call: ["network", "lab", "started"] }],
  },
  {
    file: "while-it-runs.toml",
    rule: "keep awake",
    matches: [{ call: ["qemu", "desk-1", "started"] }],
    plan:
      'hold  process /usr/bin/systemd-inhibit --what=sleep --who=virt-hooks "--why=a guest runs" /usr/bin/sleep infinity, while the guest runs; a failure is noted',
    spares: [{ call: ["qemu", "web-1", "started"] }, { call: ["qemu", "desk-1", "reconnect"] }],
  },
  {
    file: "while-it-runs.toml",
    rule: "screen in the browser",
    matches: [{ call: ["qemu", "kiosk", "started"] }],
    plan: "hold  process /usr/bin/websockify 6080 127.0.0.1:5901, while the guest runs; a failure is noted",
    spares: [{ call: ["qemu", "web-1", "started"] }, { call: ["qemu", "kiosk", "stopped"] }],
  },
  {
    file: "while-it-runs.toml",
    rule: "recorder",
    matches: [{ call: ["qemu", "desk-1", "started"] }],
    plan:
      "hold  run /usr/local/bin/record start --guest=desk-1, undone by /usr/local/bin/record stop --guest=desk-1, each for 10 s at most, while the guest runs; a failure is noted",
    spares: [{ call: ["qemu", "web-1", "started"] }, { call: ["qemu", "desk-1", "stopped"] }],
  },
];
