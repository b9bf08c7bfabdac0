/**
 * Generates `docs/reference/operations.md` from the driver table:
 * `deno run build/docs/operations_page.ts > docs/reference/operations.md`.
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

Every hook call that libvirt can make, and what virt-hooks does at each. This page is generated from the driver table
(\`lib/libvirt/drivers/\`) by \`build/docs/operations_page.ts\`; a test compares the two.

libvirt runs \`/etc/libvirt/hooks/DRIVER OBJECT OPERATION SUB-OPERATION EXTRA\`, always with four arguments, \`-\` for none,
and waits for it. The effect of a non-zero exit depends on the operation, and so does virt-hooks' own
[failure policy](../explanation/failure-policy.md).
`;

const VERBS = {
  acquire: "the guest, network or port begins: the hook acquires what it needs",
  ensure: "it continues: the hook verifies and repairs what it holds",
  release: "it has ended: the hook restores what it held",
  filter: "libvirt continues with the XML on the hook's stdout; no output leaves the XML unchanged",
  observe: "rules can refuse the operation or run a program",
} as const satisfies Record<Verb, string>;

const CONSEQUENCES = {
  aborts: "does not do what was requested",
  kills: "kills the running guest",
  abandons: "loses track of the running guest",
  leaks: "refuses the network; libvirt 9 leaves its bridge behind",
  reports: "keeps the change and returns an error to its caller",
  ignored: "logs the failure and continues",
} as const satisfies Record<Consequence, string>;

const POLICIES = {
  strict: "an action that fails makes the call fail",
  lenient: 'it is only noted, unless a rule says `on_error = "fail"`',
  never: "it is only noted, whatever a rule says",
} as const satisfies Record<FailurePolicy, string>;

/** Returns the text of the page. */
export function makeOperationsPage(): string {
  const sections = Object.values<Driver>(drivers).map(driverSection);
  return `${
    [
      HEAD,
      ...["Verbs:", "", ...legend(VERBS), ""],
      ...["If a hook exits non-zero, libvirt:", "", ...legend(CONSEQUENCES), ""],
      ...["Failure policy of virt-hooks:", "", ...legend(POLICIES), ""],
      ...sections,
    ].join("\n").trimEnd()
  }\n`;
}

function legend(texts: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(texts).map(([word, text]) => `- **${word}**: ${text}`);
}

function driverSection(driver: Driver): string {
  const stdin =
    { nothing: "nothing", domain: "the guest's XML", hookData: "the network's XML in `<hookData>`" }[driver.stdin];
  const rows = Object.entries(driver.operations).map(([name, facts]) => {
    const cells = [
      `\`${name} ${facts.subOperation}\``,
      facts.verb,
      facts.onFailure,
      failurePolicy(facts),
      `${facts.budgetMs / 1000} s`,
      facts.until === undefined ? facts.since : `${facts.since}, until ${facts.until}`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const callers = Object.entries(driver.operations).map(([name, facts]) => {
    const note = facts.note === undefined ? "" : `:\n  ${facts.note}`;
    return `- \`${name}\`, called by \`${facts.source.replaceAll(", ", "`, `")}\`${note}`;
  });
  const renamed = Object.entries(driver.renamed).map(([old, name]) => `\`${old}\` is \`${name}\``);
  return [
    `## ${driver.name}`,
    "",
    `On stdin: ${stdin}.${renamed.length === 0 ? "" : `\nNames of older versions: ${renamed.join(", ")}.`}`,
    "",
    "| operation | verb | if it fails, libvirt | failure policy | time | since |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
    ...callers,
    "",
  ].join("\n");
}

if (import.meta.main) await Deno.stdout.write(new TextEncoder().encode(makeOperationsPage()));
