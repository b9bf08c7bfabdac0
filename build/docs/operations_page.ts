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
  type Operation,
  type Verb,
} from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";

const HEAD = `# Operations

Every call that libvirt makes to a hook, and what virt-hooks does at it. This page is generated from the driver table
(\`lib/libvirt/drivers/\`) by \`build/docs/operations_page.ts\`; a test compares the two.

libvirt runs \`/etc/libvirt/hooks/DRIVER OBJECT OPERATION SUB-OPERATION EXTRA\`, always with four arguments (\`-\` for
none), and waits for the hook. The effect of a non-zero exit differs between operations, and so does what virt-hooks does
when something fails.
`;

const VERBS = {
  acquire: "a lifetime begins: its holds are acquired",
  ensure: "a lifetime continues: its holds are checked, and written again where they were changed",
  release: "a lifetime ended: its holds are released",
  filter: "libvirt continues with the XML that the hook prints; without output it keeps its own",
  observe: "rules can refuse the call or run programs",
} as const satisfies Record<Verb, string>;

const CONSEQUENCES = {
  aborts: "the requested operation does not happen",
  kills: "libvirt kills the running guest",
  abandons: "libvirt no longer manages the running guest",
  leaks: "libvirt refuses the network; libvirt 9 leaves its bridge behind",
  reports: "the change stays, and the client of libvirt gets an error",
  ignored: "libvirt logs the failure at most",
} as const satisfies Record<Consequence, string>;

const POLICIES = {
  strict: "the hook exits with an error",
  lenient: 'the hook records the failure and exits with 0, unless a rule has `on_error = "fail"`',
  never: "the hook records the failure and exits with 0, whatever a rule says",
} as const satisfies Record<FailurePolicy, string>;

/** Returns the text of the page. */
export function makeOperationsPage(): string {
  const sections = Object.values<Driver>(drivers).map(driverSection);
  return `${
    [
      HEAD,
      "The columns of the tables:",
      "",
      "**verb**: what the operation means for holds.",
      "",
      ...legend(VERBS),
      "",
      "**libvirt**: what libvirt does when the hook fails.",
      "",
      ...legend(CONSEQUENCES),
      "",
      "**virt-hooks**: what the hook does when something in it fails.",
      "",
      ...legend(POLICIES),
      "",
      "**stdout**: whether libvirt reads XML there. **time**: how long the call may take by default. **since**: the first",
      "version of libvirt that makes the call.",
      "",
      ...sections,
    ].join("\n").trimEnd()
  }\n`;
}

function legend(texts: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(texts).map(([word, text]) => `- _${word}_: ${text}`);
}

function driverSection(driver: Driver): string {
  const stdin =
    { nothing: "nothing", domain: "the guest's XML", hookData: "the network's XML in `<hookData>`" }[driver.stdin];
  const operations = Object.entries(driver.operations);
  const renamed = Object.entries(driver.renamed).map(([old, name]) => `\`${old}\` is \`${name}\``);
  return [
    `## ${driver.name}`,
    "",
    `On stdin: ${stdin}.${renamed.length === 0 ? "" : ` Names in older versions: ${renamed.join(", ")}.`}`,
    "",
    "| operation | verb | libvirt | virt-hooks | stdout | time | since |",
    "|---|---|---|---|---|---|---|",
    ...operations.map(([name, operation]) => operationRow(name, operation)),
    "",
    "Called by:",
    "",
    ...operations.map(([name, { source, note }]) => {
      return `- \`${name}\`: \`${source.replaceAll(", ", "`, `")}\`${note === undefined ? "" : `; ${note}`}`;
    }),
    "",
  ].join("\n");
}

function operationRow(name: string, operation: Operation): string {
  const { subOperation, verb, onFailure, filter, budgetMs, since, until } = operation;
  const cells = [
    `\`${name} ${subOperation}\``,
    verb,
    onFailure,
    failurePolicy(operation),
    filter ? "XML" : "",
    `${budgetMs / 1000} s`,
    until === undefined ? since : `${since}, until ${until}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

if (import.meta.main) await Deno.stdout.write(new TextEncoder().encode(makeOperationsPage()));
