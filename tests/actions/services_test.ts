import { assertEquals } from "../support/assert.ts";
import { mistakesIn } from "../support/plan_for.ts";

function rule(services: string): string {
  return `[[rule]]\nname = "r"\nwhen = { domain = "*" }\nservices = ${services}\n`;
}

const UNIT = 'the name of a unit, such as "display-manager" or "backup.timer", without placeholders';

const CASES = [
  { name: "units of several kinds", services: '{ stop = ["gdm", "backup.timer", "x@1"], start = "a.b" }', told: [] },
  {
    name: "nothing at all",
    services: "{ on_error = 'fail' }",
    told: ["rules.toml:4:12: rule[0].services: found a table, expected stop, start or both"],
  },
  {
    name: "one unit in two ways",
    services: '{ stop = ["gdm"], start = ["gdm.service"] }',
    told: ["rules.toml:4:12: rule[0].services: found a table, expected each unit once"],
  },
  ...["${domain}", "--now", "a b", "x@", "-.mount", "a/b"].map((unit) => ({
    name: `the name ${unit}`,
    services: `{ stop = "${unit}" }`,
    told: [`rules.toml:4:21: rule[0].services.stop: found "${unit}", expected ${UNIT}`],
  })),
  ...["libvirtd", "virtqemud.socket", "virtnetworkd-ro.socket", "virtlogd", "virtproxyd-tls.socket"].map((unit) => ({
    name: unit,
    services: `{ stop = "${unit}" }`,
    told: [
      `rules.toml:4:21: rule[0].services.stop: found "${unit}", expected no unit of libvirt's own: libvirt waits for this very hook`,
    ],
  })),
  {
    name: "libvirt-guests",
    services: '{ start = ["gdm", "libvirt-guests"] }',
    told: [
      `rules.toml:4:30: rule[0].services.start[1]: found "libvirt-guests", expected no unit of libvirt's own: it starts and stops guests itself`,
    ],
  },
  ...["dbus", "systemd-journald", "systemd-udevd.service"].map((unit) => ({
    name: unit,
    services: `{ stop = "${unit}" }`,
    told: [
      `rules.toml:4:21: rule[0].services.stop: found "${unit}", expected no unit that systemd itself needs, and so libvirt`,
    ],
  })),
];
for (const { name, services, told } of CASES) {
  Deno.test(`services: ${told.length === 0 ? "takes" : "refuses"} ${name}`, async () => {
    assertEquals(await mistakesIn(rule(services)), told);
  });
}
