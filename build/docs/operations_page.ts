/**
 * Makes `docs/reference/operations.md` from the driver table: `deno run build/docs/operations_page.ts > docs/reference/operations.md`.
 * @module
 */
import {
  type Consequence,
  type Driver,
  type FailurePolicy,
  failurePolicy,
  type Verb,
} from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";

const HEAD = `# Operations

Every call libvirt can make, and what it is to virt-hooks. This page is made from the driver table (\`lib/libvirt/drivers/\`)
by \`build/docs/operations_page.ts\`; a test compares the two.

libvirt runs \`/etc/libvirt/hooks/DRIVER OBJECT OPERATION SUB-OPERATION EXTRA\`, always with four arguments, \`-\` for none, and
waits. What a non-zero exit does differs from operation to operation, so what a failure of ours does differs too.
`;

const VERBS = {
  acquire: "something begins to live: what it needs is set up",
  ensure: "it lives on: what it needs is made sure of",
  release: "it ended: what was set up is undone",
  filter: "libvirt goes on with the XML on our stdout; nothing printed leaves it as it is",
  observe: "a moment at which rules can refuse or run something",
} as const satisfies Record<Verb, string>;

const CONSEQUENCES = {
  aborts: "what was asked for does not happen",
  kills: "the running guest is killed",
  abandons: "libvirt loses sight of the running guest",
  leaks: "the network is refused; libvirt 9 leaves its bridge behind",
  reports: "the change stays, its caller sees an error",
  ignored: "logged, ignored",
} as const satisfies Record<Consequence, string>;

const POLICIES = {
  strict: "fails the call",
  lenient: 'is only noted, unless a rule says `on_error = "fail"`',
  never: "is only noted, whatever a rule says",
} as const satisfies Record<FailurePolicy, string>;

/** The whole page. */
export function makeOperationsPage(): string {
  const verbs = Object.entries(VERBS).map(([verb, text]) => `- **${verb}**: ${text}`);
  const sections = Object.values<Driver>(drivers).map(driverSection);
  return `${[HEAD, "The verbs:", "", ...verbs, "", ...sections].join("\n").trimEnd()}\n`;
}

function driverSection(driver: Driver): string {
  const stdin =
    { nothing: "nothing", domain: "the guest's XML", hookData: "the network's XML in `<hookData>`" }[driver.stdin];
  const rows = Object.entries(driver.operations).map(([name, facts]) => {
    const cells = [
      `\`${name} ${facts.subOperation}\``,
      facts.verb,
      CONSEQUENCES[facts.onFailure],
      POLICIES[failurePolicy(facts)],
      facts.filter ? "read" : "",
      `${facts.budgetMs / 1000} s`,
      facts.until === undefined ? facts.since : `${facts.since}, until ${facts.until}`,
      `\`${facts.source.replaceAll(", ", "`, `")}\``,
      facts.note ?? "",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const renamed = Object.entries(driver.renamed).map(([old, name]) => `\`${old}\` is \`${name}\``);
  return [
    `## ${driver.name}`,
    "",
    `On stdin: ${stdin}.${renamed.length === 0 ? "" : ` Names of older versions: ${renamed.join(", ")}.`}`,
    "",
    "| operation | verb | when a hook fails, libvirt: | a failure of ours | stdout | time | since | called by | note |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

if (import.meta.main) await Deno.stdout.write(new TextEncoder().encode(makeOperationsPage()));
