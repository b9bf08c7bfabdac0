import { type Driver, type FailurePolicy, failurePolicy } from "../../lib/libvirt/driver.ts";
import { drivers, DRIVERS_OF_DAEMON } from "../../lib/libvirt/drivers.ts";
import { assertEquals } from "../support/assert.ts";

/** What is promised for each operation, written down a second time: the promise must not move with the table. */
const PROMISED: Readonly<Record<string, Readonly<Record<FailurePolicy, readonly string[]>>>> = {
  daemon: { strict: [], lenient: [], never: ["start", "reload", "shutdown"] },
  qemu: {
    strict: ["prepare", "start", "migrate", "restore", "attach"],
    lenient: ["started", "reconnect"],
    never: ["stopped", "release"],
  },
  lxc: { strict: ["prepare", "start"], lenient: ["started", "reconnect"], never: ["stopped", "release"] },
  libxl: { strict: ["prepare", "start", "migrate"], lenient: ["started", "reconnect"], never: ["stopped", "release"] },
  network: {
    strict: ["start", "port-created"],
    lenient: ["updated"],
    never: ["started", "stopped", "port-deleted"],
  },
};

for (const driver of Object.values<Driver>(drivers)) {
  Deno.test(`failurePolicy() is as promised for every operation of ${driver.name}`, () => {
    const got: Record<FailurePolicy, string[]> = { strict: [], lenient: [], never: [] };
    for (const [name, operation] of Object.entries(driver.operations)) got[failurePolicy(operation)].push(name);
    assertEquals(got, PROMISED[driver.name]);
  });
}

Deno.test("drivers let only migrate and restore have their stdout read", () => {
  const filters = Object.values<Driver>(drivers).flatMap((driver) =>
    Object.entries(driver.operations).filter(([, facts]) => facts.filter).map(([name]) => `${driver.name} ${name}`)
  );
  assertEquals(filters, ["qemu migrate", "qemu restore", "libxl migrate"]);
});

Deno.test("drivers keep every lxc call short, since it can stop the whole daemon", () => {
  const budgetsMs = new Set(Object.values(drivers.lxc.operations).map((operation) => operation.budgetMs));
  assertEquals([...budgetsMs], [2000]);
});

Deno.test("drivers release every lifetime that they acquire", () => {
  for (const driver of Object.values<Driver>(drivers)) {
    const operations = Object.values(driver.operations);
    const of = (verb: string): readonly string[] =>
      [...new Set(operations.filter((facts) => facts.verb === verb).flatMap((facts) => facts.lifetimes))].sort();
    assertEquals(of("release"), of("acquire"), driver.name);
  }
});

Deno.test("install.sh and the hooks agree which daemons call which hooks", () => {
  const script = Deno.readTextFileSync(new URL("../../install.sh", import.meta.url));
  const body = /^daemons_running_hooks_of\(\) \{\n(.*?)^\}/ms.exec(script)?.[1] ?? "";
  const inScript = [...body.matchAll(/^ {2}(\w+)\) say (.+?) ;;$/gm)].map(([, driver, daemons]) => [
    driver,
    daemons?.split(" ").toSorted(),
  ]);
  const names = [...new Set(Object.values(DRIVERS_OF_DAEMON).flat())];
  const inTable = names.map((driver) => [
    driver,
    Object.entries(DRIVERS_OF_DAEMON).filter(([, served]) => served.includes(driver)).map(([daemon]) => daemon)
      .toSorted(),
  ]);
  assertEquals(inScript, inTable);
});
