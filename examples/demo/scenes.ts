/**
 * The play: what libvirt asks and what people do, in order, with the exit code each call must end with.
 * @module
 */
import type { Placed } from "../../tests/support/private_root.ts";
import { exampleText, stagedExample, stagedRules, stagedStatus } from "./stage.ts";
import { type Act, daemon, guest, network } from "./step.ts";

/** The whole play. */
export function acts(): readonly Act[] {
  return [beginning(), life(), holding(), migration(), maintenance(), hanging(), broken()];
}

function beginning(): Act {
  return {
    title: "libvirt starts, and a network with it",
    about:
      "Hooks are called for the daemon and for networks, too. Shown are: the call, the rules that match, what is " +
      "run and what it says, then the exit code that libvirt gets, the outcome, and how long libvirt waited.",
    steps: [
      daemon("start", { asked: "libvirt's daemon starts", then: "It goes on." }),
      network("start", { asked: "The network lab is about to start", then: "Its bridge is made." }),
      network("started", { asked: "Its bridge is up", then: "The network is active." }),
    ],
  };
}

function life(): Act {
  const document = "guest_running.xml";
  const port = "network_port.xml";
  return {
    title: "The life of the guest web-1",
    about: "The XML that libvirt sends along, the guest's or the network's, stands behind <.",
    steps: [
      guest("prepare", { asked: "Somebody starts web-1; nothing has been touched yet", then: "The start goes on." }),
      network("port-created", { asked: "web-1 is plugged into lab", then: "The start goes on.", document: port }),
      guest("start", { asked: "QEMU is about to be run", then: "The start goes on.", document }),
      guest("started", { asked: "web-1 runs", then: "It goes on running.", document }),
      guest("reconnect", {
        asked: "libvirt's daemon was restarted and has found web-1",
        then: "It goes on running.",
        document,
      }),
      network("updated", { asked: "Somebody changes an address of lab", then: "The change stands." }),
      guest("stopped", { asked: "QEMU has crashed", then: "libvirt cleans up." }),
      network("port-deleted", { asked: "web-1 is unplugged", then: "The port is gone.", document: port }),
      guest("release", { asked: "All of web-1 is released, and why", then: "It is shut off.", extra: "crashed" }),
      network("stopped", { asked: "Nobody needs lab any more", then: "The network is inactive." }),
    ],
  };
}

const HOLD_RULES = `[[rule]]
name = "databases"
when = { domain = "db-*" }
sysctl = { "vm.swappiness" = 10 }
`;

function holding(): Act {
  const file = stagedRules("databases.toml", HOLD_RULES);
  // A stand-in: the private root has none of this machine's kernel's files.
  const swappiness: Placed = { kind: "file", path: "/proc/sys/vm/swappiness", mode: "0644", content: "60\n" };
  return {
    title: "What guests hold",
    about:
      "This rule says what shall be while a guest lives: vm.swappiness is 10. Nothing says how to undo it. It is " +
      "counted over guests, and put back when the last one is gone.",
    steps: [
      {
        kind: "change",
        asked: "The administrator writes the rule",
        place: [file, swappiness, ...["db-1", "db-2"].map(stagedStatus)],
      },
      guest("prepare", { asked: "Somebody starts db-1", then: "The start goes on.", object: "db-1" }),
      guest("prepare", { asked: "Somebody starts db-2", then: "The start goes on.", object: "db-2" }),
      { kind: "command", asked: "What is held, by whom, and what was there before?", args: ["status"], exitCode: 0 },
      guest("release", { asked: "db-1 is shut down", then: "It is shut off.", object: "db-1", extra: "shutdown" }),
      {
        kind: "change",
        asked: "Meanwhile the administrator removes the rule: what was acquired is undone all the same",
        remove: [file.path],
      },
      guest("release", { asked: "db-2 is shut down", then: "It is shut off.", object: "db-2", extra: "shutdown" }),
      { kind: "command", asked: "And now?", args: ["status"], exitCode: 0 },
    ],
  };
}

function migration(): Act {
  return {
    title: "Guests move to this host",
    about: "At migrate a hook may refuse. Refusals come first: where one rule refuses, no rule runs anything.",
    steps: [
      guest("migrate", { asked: "web-1 wants to move here", then: "The migration goes on." }),
      guest("migrate", {
        asked: "ora-1, licensed for other hosts, wants to move here",
        then: "The migration is refused: ora-1 goes on running where it is.",
        object: "ora-1",
        exitCode: 1,
      }),
    ],
  };
}

function maintenance(): Act {
  const file: Placed = { kind: "file", path: "/run/maintenance", mode: "0644", content: "" };
  return {
    title: "A host in maintenance",
    about: "A rule can depend on a file. What the user of virsh gets to see is shown, too.",
    steps: [
      { kind: "change", asked: "The administrator types: touch /run/maintenance", place: [file] },
      guest("prepare", { asked: "Somebody starts web-1", then: "The start is refused.", exitCode: 1, virsh: true }),
      { kind: "change", asked: "And later: rm /run/maintenance", remove: [file.path] },
    ],
  };
}

const SLOW_RULES = `[[rule]]
name = "slow check"
when = { on = "prepare", domain = "mail-*" }
run = { argv = ["/opt/demo/never-ends"], timeout = "1s" }
`;

function hanging(): Act {
  const file = stagedRules("slow-check.toml", SLOW_RULES);
  return {
    title: "A program that hangs",
    about: "libvirt itself would wait for ever. The rule gives its program one second.",
    steps: [
      { kind: "change", place: [file] },
      guest("prepare", {
        asked: "Somebody starts mail-1",
        then: "The start is refused in time.",
        object: "mail-1",
        exitCode: 5,
      }),
      { kind: "look" },
      { kind: "change", remove: [file.path] },
    ],
  };
}

function broken(): Act {
  return {
    title: "Broken rules",
    about: "Strict before a guest runs, lenient after: no start by halves, and what runs is left alone.",
    steps: [
      { kind: "change", asked: "The administrator edits two files, and slips", place: brokenRules() },
      guest("prepare", {
        asked: "Somebody starts web-1",
        then: "The start is refused: nobody knows what the rules were to say.",
        exitCode: 3,
      }),
      guest("reconnect", {
        asked: "libvirt's daemon was restarted and has found web-1 running",
        then: "web-1 lives; had this failed, libvirt would have killed it.",
        document: "guest_running.xml",
      }),
      { kind: "command", asked: "The administrator looks for the mistakes", args: ["check"], exitCode: 3 },
      {
        kind: "change",
        asked: "and repairs the files",
        place: ["maintenance.toml", "network.toml"].map(stagedExample),
      },
      { kind: "command", asked: "and looks again", args: ["check"], exitCode: 0 },
    ],
  };
}

/** The examples with a path that is not absolute, and two keys that do not exist. */
function brokenRules(): readonly Placed[] {
  const maintenance = exampleText("maintenance.toml").replace('"/run/', '"run/').replace("deny =", "dney =");
  const network = exampleText("network.toml").replace("timeout", "timeot");
  return [stagedRules("maintenance.toml", maintenance), stagedRules("network.toml", network)];
}
