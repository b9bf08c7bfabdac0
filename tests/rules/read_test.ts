import { actionSchemas } from "../../lib/actions/registry.ts";
import { readRules } from "../../lib/rules/read.ts";
import { assertEquals } from "../support/assert.ts";
import { mistakesIn } from "../support/plan_for.ts";

/** Wraps a case in a rule. */
function rule(parts: string): string {
  return `[[rule]]\nname = "r"\n${parts}\n`;
}

const ACTIONS = Object.keys(actionSchemas).join(", ");
const KEYS = "driver, domain, uuid, network, host, reason, file, label, xml";

/** One case for each kind of mistake: the text and its issues. */
const MISTAKES = [
  {
    name: "text that is not TOML",
    text: 'a = "x\n',
    told: ["rules.toml:1:7: found broken TOML (control characters are not allowed in strings), expected TOML 1.0"],
  },
  {
    name: "an unknown key at the top",
    text: "[[rules]]\n",
    told: [
      'rules.toml:1:3: rules: found the key "rules", expected one of the keys: rule, settings; did you mean "rule"?',
    ],
  },
  {
    name: "every unknown key of a table",
    text:
      '[setings]\n[[rule]]\nnam = "r"\nwhen = { domain = "x", domian = "y", netwrk = "z" }\nforwards = 1\n[[rules]]\n',
    told: [
      'rules.toml:1:2: setings: found the key "setings", expected one of the keys: rule, settings; did you mean "settings"?',
      `rules.toml:3:1: rule[0].nam: found the key "nam", expected one of the keys: name, when, unless, ns, while, ${ACTIONS}; did you mean "name"?`,
      `rules.toml:4:24: rule[0].when.domian: found the key "domian", expected one of the keys: on, ${KEYS}; did you mean "domain"?`,
      `rules.toml:4:38: rule[0].when.netwrk: found the key "netwrk", expected one of the keys: on, ${KEYS}; did you mean "network"?`,
      `rules.toml:5:1: rule[0].forwards: found the key "forwards", expected one of the keys: name, when, unless, ns, while, ${ACTIONS}; did you mean "forward"?`,
      'rules.toml:6:3: rules: found the key "rules", expected one of the keys: rule, settings; did you mean "rule"?',
    ],
  },
  {
    name: "a rule that is no list",
    text: '[rule]\nname = "r"\n',
    told: ["rules.toml:1:2: rule: found a table, expected a list of [[rule]] tables"],
  },
  {
    name: "a rule without name, when and action",
    text: "[[rule]]\n",
    told: [
      'rules.toml:1:3: rule[0]: found nothing, expected the key "name"',
      'rules.toml:1:3: rule[0]: found nothing, expected the key "when"',
    ],
  },
  {
    name: "a rule without an action",
    text: rule('when = { on = "prepare" }'),
    told: [
      `rules.toml:1:3: rule[0]: found no action, expected an action: ${ACTIONS}`,
    ],
  },
  {
    name: "what lasts in a rule for a network, without while",
    text: rule('when = { network = "lab" }\nopen = true'),
    told: [
      'rules.toml:3:20: rule[0].when.network: found a network selector, expected while = "network" beside it: without it, a rule lasts for the lifetime of a guest',
    ],
  },
  {
    name: "an action without an operation",
    text: rule('when = { domain = "x" }\ndeny = "no"'),
    told: [
      'rules.toml:3:8: rule[0].when: found no on, expected the key "on", since deny must know at which operations to act',
    ],
  },
  {
    name: "an empty name",
    text: '[[rule]]\nname = " "\nwhen = { on = "prepare" }\ndeny = "no"\n',
    told: ['rules.toml:2:8: rule[0].name: found " ", expected a name of 1 to 100 printable characters'],
  },
  {
    name: "two rules of one name",
    text: rule('when = { on = "prepare" }\ndeny = "no"') + rule('when = { on = "prepare" }\ndeny = "no"'),
    told: [
      'rules.toml:6:8: rule[1].name: found a second rule "r", expected a unique name: rules.toml has a rule with this name',
    ],
  },
  {
    name: "a misspelled key that had to be there, as one mistake",
    text: '[[rule]]\nname = "r"\nwhn = { on = "prepare" }\ndeny = "no"\n',
    told: [
      `rules.toml:3:1: rule[0].whn: found the key "whn", expected one of the keys: name, when, unless, ns, while, ${ACTIONS}; did you mean "when"?`,
    ],
  },
  {
    name: "a second rule of one name that is wrong otherwise too",
    text: rule('when = { on = "prepare" }\ndeny = "no"') + rule('when = { on = "prepare" }\ndeny = 1'),
    told: [
      'rules.toml:6:8: rule[1].name: found a second rule "r", expected a unique name: rules.toml has a rule with this name',
      "rules.toml:8:8: rule[1].deny: found 1, expected a string",
    ],
  },
  {
    name: "an empty message",
    text: rule('when = { on = "prepare" }\ndeny = ""'),
    told: ['rules.toml:4:8: rule[0].deny: found "", expected a message that tells people why'],
  },
  {
    name: "a misspelled selector",
    text: rule('when = { on = "prepare", domian = "x" }\ndeny = "no"'),
    told: [
      `rules.toml:3:26: rule[0].when.domian: found the key "domian", expected one of the keys: on, ${KEYS}; did you mean "domain"?`,
    ],
  },
  {
    name: "on in unless",
    text: rule('when = { on = "prepare" }\nunless = { on = "start" }\ndeny = "no"'),
    told: [
      `rules.toml:4:12: rule[0].unless.on: found the key "on", expected one of the keys: ${KEYS}`,
    ],
  },
  {
    name: "an empty unless",
    text: rule('when = { on = "prepare" }\nunless = {}\ndeny = "no"'),
    told: [
      "rules.toml:4:10: rule[0].unless: found a table, expected at least one selector: an empty one excludes every call",
    ],
  },
  {
    name: "an unless that never holds",
    text: rule(
      'when = { on = "prepare", driver = "qemu" }\nunless = [{ host = "a" }, { driver = "lxc" }]\ndeny = "no"',
    ),
    told: [
      "rules.toml:4:27: rule[0].unless[1]: found selectors that never match here, expected selectors that match a call which the rule's when matches",
    ],
  },
  {
    name: "an unknown operation",
    text: rule('when = { on = ["prepare", "strted"], driver = "qemu" }\ndeny = "no"'),
    told: [
      'rules.toml:3:27: rule[0].when.on[1]: found "strted", expected one of the operations of qemu: prepare, start, started, stopped, release, reconnect, migrate, restore, attach; did you mean "started"?',
    ],
  },
  {
    name: "an operation of another driver",
    text: rule('when = { on = "restore", driver = "lxc" }\nrun = { argv = ["/x"] }'),
    told: [
      'rules.toml:3:15: rule[0].when.on: found "restore", expected one of the operations of lxc: prepare, start, started, stopped, release, reconnect',
    ],
  },
  {
    name: "an operation that several kinds of object have",
    text: rule('when = { on = "stopped" }\nrun = { argv = ["/x"] }'),
    told: [
      'rules.toml:3:15: rule[0].when.on: found "stopped", expected a driver beside it, since domain and network operations have this name',
    ],
  },
  {
    name: "an unknown driver",
    text: rule('when = { on = "prepare", driver = "kvm" }\ndeny = "no"'),
    told: [
      'rules.toml:3:35: rule[0].when.driver: found "kvm", expected one of the drivers: daemon, qemu, lxc, libxl, network',
    ],
  },
  {
    name: "a driver without the rule's operations",
    text: rule('when = { on = "prepare", driver = ["qemu", "network"] }\ndeny = "no"'),
    told: [
      'rules.toml:3:44: rule[0].when.driver[1]: found "network", expected a driver that has the rule\'s operations and objects',
    ],
  },
  {
    name: "a domain where there is none",
    text: rule('when = { on = "updated", domain = "x" }\nrun = { argv = ["/x"] }'),
    told: [
      "rules.toml:3:35: rule[0].when.domain: found a domain selector, expected no domain selector: none of these operations has a domain",
    ],
  },
  {
    name: "a domain and a network",
    text: rule('when = { on = "started", domain = "x", network = "y" }\nrun = { argv = ["/x"] }'),
    told: [
      "rules.toml:3:50: rule[0].when.network: found a network selector, expected no network selector beside domain: a call is about the one or the other",
    ],
  },
  {
    name: "a reason where libvirt gives none",
    text: rule('when = { on = "prepare", reason = "crashed" }\ndeny = "no"'),
    told: [
      "rules.toml:3:35: rule[0].when.reason: found a reason selector, expected no reason selector: libvirt gives one at release of qemu and lxc only",
    ],
  },
  {
    name: "an unknown reason",
    text: rule('when = { on = "release", reason = "crash" }\nrun = { argv = ["/x"] }'),
    told: [
      'rules.toml:3:35: rule[0].when.reason: found "crash", expected one of the shut-off reasons: unknown, shutdown, destroyed, crashed, migrated, saved, failed, from snapshot, daemon; did you mean "crashed"?',
    ],
  },
  {
    name: "an empty list",
    text: rule('when = { on = [] }\ndeny = "no"'),
    told: ["rules.toml:3:15: rule[0].when.on: found an empty list, expected at least one value in the list"],
  },
  {
    name: "a file that is no absolute path, and one which the hooks cannot access",
    text: rule('when = { on = "prepare", file = ["x", "/sys/class/net/br0"] }\ndeny = "no"'),
    told: [
      'rules.toml:3:34: rule[0].when.file[0]: found "x", expected an absolute path, without dot segments',
      'rules.toml:3:39: rule[0].when.file[1]: found "/sys/class/net/br0", expected a path outside /proc, /sys and /dev, which the hooks cannot access',
    ],
  },
  {
    name: "deny where it would kill",
    text: rule('when = { on = "reconnect" }\ndeny = "no"'),
    told: [
      "rules.toml:4:8: rule[0].deny: found deny at qemu reconnect, expected an operation that can be refused: here it would kill the running guest",
    ],
  },
  {
    name: "deny where libvirt ignores it",
    text: rule('when = { on = ["prepare", "release"] }\ndeny = "no"'),
    told: [
      "rules.toml:4:8: rule[0].deny: found deny at qemu release, expected an operation that can be refused: here libvirt ignores it",
    ],
  },
  {
    name: "a program that is no absolute path",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["check-bridge"] }'),
    told: [
      'rules.toml:4:17: rule[0].run.argv[0]: found "check-bridge", expected the absolute path of a program first, without placeholders or dot segments',
    ],
  },
  {
    name: "a program chosen by the guest",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/opt/${domain}"] }'),
    told: [
      'rules.toml:4:17: rule[0].run.argv[0]: found "/opt/${domain}", expected the absolute path of a program first, without placeholders or dot segments',
    ],
  },
  {
    name: "an empty argv",
    text: rule('when = { on = "prepare" }\nrun = { argv = [] }'),
    told: [
      "rules.toml:4:16: rule[0].run.argv: found an empty list, expected the absolute path of a program first, without placeholders or dot segments",
    ],
  },
  {
    name: "a filling in a shell's words",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/bin/sh", "-c", "echo ${domain}"] }'),
    told: [
      'rules.toml:4:34: rule[0].run.argv[2]: found "echo ${domain}", expected no placeholders in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there',
    ],
  },
  {
    name: "a filling beside inline code",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/usr/bin/python3", "-c", "print()", "${domain}"] }'),
    told: [
      'rules.toml:4:54: rule[0].run.argv[3]: found "${domain}", expected no placeholders in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there',
    ],
  },
  ...[
    ["/usr/bin/timeout", "5", "/bin/sh", "-c", "echo ${domain}"],
    ["/usr/bin/python3", "-cprint('${domain}')"],
    ["/usr/bin/perl", "-eprint '${domain}'"],
    ["/usr/bin/env", "${domain}"],
    ["/usr/sbin/ip", "netns", "exec", "x", "sh", "-c", "echo ${domain}"],
  ].map((argv) => ({
    name: `a filling in what ${argv.join(" ")} runs`,
    text: rule(`when = { on = "prepare" }\nrun = { argv = ${JSON.stringify(argv)} }`),
    told: [
      `rules.toml:4:${17 + JSON.stringify(argv).indexOf(JSON.stringify(argv.at(-1))) - 1}: rule[0].run.argv[${
        argv.length - 1
      }]: ` +
      `found ${
        JSON.stringify(argv.at(-1))
      }, expected no placeholders in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there`,
    ],
  })),
  {
    name: "a duration of more than a day",
    text: '[settings.budgets.qemu]\nprepare = "1441m"\n',
    told: ['rules.toml:2:11: settings.budgets.qemu.prepare: found "1441m", expected 24 hours at most'],
  },
  {
    name: "an unknown filling",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/x", "${name}"] }'),
    told: [
      'rules.toml:4:23: rule[0].run.argv[1]: found "${name}", expected one of the fillings ${domain} ${uuid} ${network} ${host} ${operation} ${reason} ${xml:PATH} ($${ for a plain ${)',
    ],
  },
  {
    name: "a filling that has no value there",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/x", "${network}"] }'),
    told: [
      "rules.toml:4:23: rule[0].run.argv[1]: found ${network}, expected a filling that has a value at the rule's operations",
    ],
  },
  {
    name: "on_error where a hook never fails",
    text: rule('when = { on = "release" }\nrun = { argv = ["/x"], on_error = "fail" }'),
    told: [
      'rules.toml:4:35: rule[0].run.on_error: found "fail", expected "continue": at these operations a hook never fails the call',
    ],
  },
  {
    name: "a document where libvirt sends none",
    text: rule('when = { on = "reload" }\nrun = { argv = ["/x"], input = "document" }'),
    told: ['rules.toml:4:32: rule[0].run.input: found "document", expected "none": libvirt sends no document here'],
  },
  {
    name: "a timeout longer than the call has",
    text: rule('when = { on = "prepare", driver = "lxc" }\nrun = { argv = ["/x"], timeout = "5s" }'),
    told: [
      "rules.toml:4:34: rule[0].run.timeout: found 5 s, expected 2 s at most, the time limit of a call here (settings.budgets can change it)",
    ],
  },
  {
    name: "a program for a whole life at an operation",
    text: rule('when = { on = "prepare", driver = "qemu" }\nrun = { argv = ["/x"], undo = ["/y"] }'),
    told: [
      'rules.toml:3:15: rule[0].when.on: found on, expected no "on", since run lasts for the lifetime of the guest or network',
    ],
  },
  {
    name: "an undo that is no program, and a life that no guest has",
    text: rule(
      'when = { driver = "qemu" }\nrun = [{ argv = ["/x"], undo = ["y"] }, { argv = ["/x"], during = "boot" }]',
    ),
    told: [
      'rules.toml:4:33: rule[0].run[0].undo[0]: found "y", expected the absolute path of a program first, without placeholders or dot segments',
      'rules.toml:4:67: rule[0].run[1].during: found "boot", expected "domain" or "running"',
    ],
  },
  {
    name: "a program for a whole life that has to do with a document, or no time",
    text: rule(
      'when = { driver = "qemu" }\nrun = { argv = ["/x"], during = "running", input = "document", timeout = "30s" }',
    ),
    told: [
      'rules.toml:4:52: rule[0].run.input: found "document", expected no input, since a run that lasts (undo, during) has nothing to do with a call\'s document',
      "rules.toml:4:74: rule[0].run.timeout: found 30 s, expected 20 s at most, the time limit of a call here (settings.budgets can change it)",
    ],
  },
  {
    name: "a program for a network's life that lasts as a guest's",
    text: rule(
      'when = { network = "lab" }\nwhile = "network"\nrun = { argv = ["/x"], during = "running", on_error = "fail" }',
    ),
    told: [
      'rules.toml:5:33: rule[0].run.during: found "running", expected no "during" beside while = "network", since only a guest can exist without running',
      'rules.toml:5:55: rule[0].run.on_error: found "fail", expected "continue": at these operations a hook never fails the call',
    ],
  },
  {
    name: "fillings that a program and its undo cannot have",
    text: rule('when = { driver = "qemu" }\nrun = { argv = ["/x", "${network}"], undo = ["/y", "a", "${reason}"] }'),
    told: [
      "rules.toml:4:23: rule[0].run.argv[1]: found ${network}, expected a filling that has a value at the rule's operations",
      "rules.toml:4:57: rule[0].run.undo[2]: found ${reason}, expected a filling that has a value at the rule's operations",
    ],
  },
  {
    name: "a process with keys of a program that ends",
    text: rule('when = { driver = "qemu" }\nprocess = { argv = ["/bin/sh", "-c", "echo ${domain}"], timeout = "5s" }'),
    told: [
      'rules.toml:4:38: rule[0].process.argv[2]: found "echo ${domain}", expected no placeholders in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there',
      'rules.toml:4:57: rule[0].process.timeout: found the key "timeout", expected one of the keys: argv, on_error',
    ],
  },
  {
    name: "durations that are none",
    text: rule('when = { on = "prepare" }\nrun = [{ argv = ["/x"], timeout = "0s" }, { argv = ["/x"], timeout = 5 }]'),
    told: [
      'rules.toml:4:35: rule[0].run[0].timeout: found "0s", expected a duration such as "500ms", "5s" or "2m"',
      'rules.toml:4:70: rule[0].run[1].timeout: found 5, expected a duration such as "500ms", "5s" or "2m"',
    ],
  },
  {
    name: "a path that is none, with its column",
    text: rule('when = { on = "prepare", xml = "/domain/devices/disk[@type=]" }\ndeny = "no"'),
    told: [
      `rules.toml:3:32: rule[0].when.xml: found "/domain/devices/disk[@type=]", expected a path: column 28: "]" cannot stand here; supported are /a/b, //b, *, @x, text(), .., names with a declared prefix, and the conditions [1], [last()], [@x], [b='v'], [@x='v'], starts-with(), contains(), not(), and, or`,
    ],
  },
  {
    name: "a prefix that nobody declared",
    text: rule('when = { on = "prepare", xml = "/domain/foo:bar" }\ndeny = "no"'),
    told: [
      `rules.toml:3:32: rule[0].when.xml: found "/domain/foo:bar", expected a path: column 9: the prefix "foo" is not declared; supported are /a/b, //b, *, @x, text(), .., names with a declared prefix, and the conditions [1], [last()], [@x], [b='v'], [@x='v'], starts-with(), contains(), not(), and, or`,
    ],
  },
  {
    name: "a label of a network",
    text: rule('when = { on = "updated", label.role = "x" }\nrun = { argv = ["/x"] }'),
    told: [
      "rules.toml:3:26: rule[0].when.label: found the label selector, expected no label selector: libvirt sends no such document at these operations",
    ],
  },
  {
    name: "the daemon's document",
    text: rule('when = { on = "reload", xml = "/domain" }\nrun = { argv = ["/x"] }'),
    told: [
      "rules.toml:3:31: rule[0].when.xml: found the xml selector, expected no xml selector: libvirt sends no such document at these operations",
    ],
  },
  {
    name: "edit where libvirt does not read the document back",
    text: rule('when = { on = "prepare" }\nedit = { path = "/domain/title", set = "x" }'),
    told: [
      "rules.toml:4:8: rule[0].edit: found edit at qemu prepare, expected migrate or restore, the operations at which libvirt reads the document back",
    ],
  },
  {
    name: "edits that say nothing, or two things",
    text: rule(
      'when = { on = "migrate" }\nedit = [{ path = "/a" }, { path = "/a", set = "x", remove = true }, { path = "/a", replace = "x" }, { path = "/a", set = "x", place = "last" }]',
    ),
    told: [
      "rules.toml:4:9: rule[0].edit[0]: found a table, expected exactly one of set, replace, regex, remove and insert",
      "rules.toml:4:26: rule[0].edit[1]: found a table, expected exactly one of set, replace, regex, remove and insert",
      "rules.toml:4:69: rule[0].edit[2]: found a table, expected with beside replace or regex: what to write instead",
      "rules.toml:4:101: rule[0].edit[3]: found a table, expected place only beside insert",
    ],
  },
  {
    name: "an edit whose parts are wrong",
    text: rule(
      'when = { on = "migrate" }\nedit = [{ path = "a", set = "x" }, { path = "/a", regex = "(", with = "" }, { path = "/a", insert = "<b>" }, { path = "/a", set = "${xml:b}" }, { path = "/a", regex = "(a)", with = "$2" }]',
    ),
    told: [
      `rules.toml:4:18: rule[0].edit[0].path: found "a", expected a path: column 1: a path begins with "/" or "//"; supported are /a/b, //b, *, @x, text(), .., names with a declared prefix, and the conditions [1], [last()], [@x], [b='v'], [@x='v'], starts-with(), contains(), not(), and, or`,
      'rules.toml:4:59: rule[0].edit[1].regex: found a regex that cannot be used, expected a regular expression: Cannot parse the expression "(": missing closing ); the syntax is that of RE2, without back-references and look-around',
      'rules.toml:4:101: rule[0].edit[2].insert: found a insert that cannot be used, expected well-formed XML: Cannot parse the XML: the element "b" is not closed at line 1, column 1',
      `rules.toml:4:131: rule[0].edit[3].set: found \${xml:b}, expected a path: column 1: a path begins with "/" or "//"; supported are /a/b, //b, *, @x, text(), .., names with a declared prefix, and the conditions [1], [last()], [@x], [b='v'], [@x='v'], starts-with(), contains(), not(), and, or`,
      'rules.toml:4:182: rule[0].edit[4].with: found a with that cannot be used, expected what to write instead: Cannot write "$2" instead: the expression has no group for "$2" at column 1',
    ],
  },
  {
    name: "expressions that go back or look around",
    text: rule(
      'when = { on = "migrate" }\nedit = [{ path = "/a", regex = "b(?=a)", with = "" }, { path = "/a", regex = "(a)\\\\1", with = "" }]',
    ),
    told: [
      'rules.toml:4:32: rule[0].edit[0].regex: found a regex that cannot be used, expected a regular expression: Cannot parse the expression "b(?=a)": invalid or unsupported Perl syntax: "(?="; the syntax is that of RE2, without back-references and look-around',
      'rules.toml:4:78: rule[0].edit[1].regex: found a regex that cannot be used, expected a regular expression: Cannot parse the expression "(a)\\1": invalid escape sequence: "\\1"; the syntax is that of RE2, without back-references and look-around',
    ],
  },
  {
    name: "a text to replace that no XML holds",
    text: rule('when = { on = "migrate" }\nedit = { path = "/a", replace = "\\u0001", with = "" }'),
    told: [
      'rules.toml:4:33: rule[0].edit.replace: found "\\u0001", expected the text to look for, in characters that XML allows',
    ],
  },
  {
    name: "a document from a program where libvirt does not read it",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/x"], output = "document" }'),
    told: [
      'rules.toml:4:33: rule[0].run.output: found "document", expected "none" at qemu prepare: libvirt reads a document back at migrate and restore',
    ],
  },
  {
    name: "an operation at which another selector cannot hold",
    text: rule('when = { on = ["prepare", "updated"], domain = "x" }\nrun = { argv = ["/x"] }'),
    told: [
      'rules.toml:3:27: rule[0].when.on[1]: found "updated", expected an operation at which the rule\'s other selectors can match',
    ],
  },
  {
    name: "a path from another root",
    text: rule('when = { driver = "qemu", on = "prepare", xml = ["//disk", "/hookData/network"] }\ndeny = "no"'),
    told: [
      'rules.toml:3:60: rule[0].when.xml[1]: found "/hookData/network", expected a path that begins with /domain, or with //',
    ],
  },
  {
    name: "names that can never match",
    text: rule('when = { on = "prepare", domain = "a/b", uuid = "web-1" }\ndeny = "no"'),
    told: [
      'rules.toml:3:35: rule[0].when.domain: found "a/b", expected a guest\'s name or a glob, without a slash',
      'rules.toml:3:49: rule[0].when.uuid: found "web-1", expected a UUID or a glob: digits, a to f, dashes, * and ?',
    ],
  },
  {
    name: "a UUID without dashes, which libvirt never writes",
    text: rule('when = { on = "prepare", uuid = "c7a5fdbdcdaf9455926ad65c16db1809" }\ndeny = "no"'),
    told: [
      'rules.toml:3:33: rule[0].when.uuid: found "c7a5fdbdcdaf9455926ad65c16db1809", expected what can match a UUID as libvirt writes it, with dashes: 8-4-4-4-12 digits',
    ],
  },
  {
    name: "a label's value with white space around it",
    text: rule('when = { on = "prepare", label.role = "web " }\ndeny = "no"'),
    told: [
      'rules.toml:3:39: rule[0].when.label.role: found "web ", expected a label\'s value or a glob, without white space around it',
    ],
  },
  {
    name: "an exclusion by a path from another root",
    text: rule('when = { driver = "qemu", on = "prepare" }\nunless = { xml = "/network/name" }\ndeny = "no"'),
    told: [
      'rules.toml:4:10: rule[0].unless: found "/network/name", expected a path that begins with /domain, or with //',
    ],
  },
  {
    name: "labels that would silently be passed over",
    text: rule('when = { on = "prepare", label = { role = "web", constructor = "x" } }\ndeny = "no"'),
    told: [
      "rules.toml:3:34: rule[0].when.label: found a table, expected a table of labels, such as label.role, with other names than __proto__, constructor, prototype",
    ],
  },
  {
    name: "a budget of no operation",
    text: '[settings.budgets.qemu]\nprepared = "5s"\n',
    told: [
      'rules.toml:2:1: settings.budgets.qemu.prepared: found the key "prepared", expected one of the keys: prepare, start, started, stopped, release, reconnect, migrate, restore, attach; did you mean "prepare"?',
    ],
  },
];

for (const { name, text, told } of MISTAKES) {
  Deno.test(`readRules() refuses ${name}`, async () => {
    assertEquals(await mistakesIn(text), told);
  });
}

Deno.test("readRules() reports every mistake of every file, in the order of files and lines", async () => {
  const reading = await readRules([
    { path: "a.toml", text: rule('when = { on = "prepar" }\nrun = { argv = ["x"], timout = "1s" }') + "[setings]\n" },
    { path: "b.toml", text: "x = [\n" },
    { path: "c.toml", text: rule('when = { on = "stopped" }\ndeny = ""') },
  ]);
  const hookPoints = reading.kind === "broken"
    ? reading.issues.map(({ file, line, path }) => `${file}:${line} ${path}`)
    : [];
  assertEquals(hookPoints, [
    "a.toml:3 rule[0].when.on",
    "a.toml:4 rule[0].run.argv[0]",
    "a.toml:4 rule[0].run.timout",
    "a.toml:5 setings",
    "b.toml:2 ",
    "c.toml:2 rule[0].name",
    "c.toml:3 rule[0].when.on",
    "c.toml:4 rule[0].deny",
  ]);
});

const GOOD = [
  { name: "no rules at all", text: "" },
  {
    name: "an operation made plain by a domain selector",
    text: rule('when = { on = "stopped", domain = "x" }\nrun = { argv = ["/x"] }'),
  },
  {
    name: "several programs, as tables",
    text: rule('when = { on = "prepare" }\n[[rule.run]]\nargv = ["/x"]\n[[rule.run]]\nargv = ["/y"]'),
  },
  {
    name: "a timeout within a budget that the settings raise",
    text: `${
      rule('when = { on = "prepare", driver = "lxc" }\nrun = { argv = ["/x"], timeout = "5s" }')
    }[settings.budgets.lxc]\nprepare = "6s"\n`,
  },
  {
    name: "a filling beside a script",
    text: rule('when = { on = "prepare" }\nrun = { argv = ["/usr/bin/python3", "/opt/check.py", "${domain}"] }'),
  },
  { name: "a plain dollar brace", text: rule('when = { on = "prepare" }\ndeny = "$${domain}"') },
];

for (const { name, text } of GOOD) {
  Deno.test(`readRules() takes ${name}`, async () => {
    assertEquals(await mistakesIn(text), []);
  });
}

Deno.test("readRules() keeps the order of files and rules, and merges settings", async () => {
  const reading = await readRules([
    {
      path: "a.toml",
      text: '[settings.budgets.qemu]\nprepare = "90s"\n' + rule('when = { on = "prepare" }\ndeny = "no"'),
    },
    {
      path: "b.toml",
      text: '[settings.budgets.qemu]\nstart = "500ms"\n[[rule]]\nname = "s"\nwhen = { on = "prepare" }\ndeny = "no"\n',
    },
  ]);
  assertEquals(reading.kind === "rules" && reading.ruleSet.rules.map((one) => `${one.file} ${one.name}`), [
    "a.toml r",
    "b.toml s",
  ]);
  assertEquals(reading.kind === "rules" && reading.ruleSet.settings.budgetsMs, {
    qemu: { prepare: 90_000, start: 500 },
  });
});
