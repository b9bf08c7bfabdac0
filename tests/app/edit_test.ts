import { hostOf } from "../support/host.ts";
import { ELF_START } from "../support/elf.ts";
import { HISTORY_FILE } from "../../lib/app/product.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { type MemoryHost, type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const DOCUMENT = await Deno.readTextFile(new URL("../fixtures/qemu-migrate.xml", import.meta.url));
/** The password in that capture. */
const SECRET = "s3cret";
const PROGRAM = "/opt/rewrite";

/** Calls the hook with rules and a document. */
async function call(
  rules: string,
  given: {
    readonly operation?: string;
    readonly document?: string;
    readonly program?: string;
    /** Milliseconds that pass between two looks at the clock. */
    readonly lookMs?: number;
  } = {},
): Promise<{ readonly code: number; readonly sys: MemorySys }> {
  const { operation = "migrate", document = DOCUMENT, program = "", lookMs = 0 } = given;
  const host: MemoryHost = {
    args: ["vm1", operation, "begin", "-"],
    stdin: { kind: "whole", bytes: new TextEncoder().encode(document) },
    files: {
      "/etc/virt-hooks/rules.toml": rules,
      "/var/log/x": "",
      [PROGRAM]: { text: ELF_START, mode: 0o755 },
    },
    programs: {
      [PROGRAM]: (command) => ({
        stdout: program === "echo" ? new TextDecoder().decode(command.stdin) : program,
        stderr: `read ${SECRET} of ${command.stdin?.length ?? 0} bytes`,
      }),
    },
  };
  const sys = memorySys(host);
  const elapsedMs = (): number => sys.clock.elapsedMs += lookMs;
  return { code: await runHook(drivers.qemu, hostOf({ ...sys, elapsedMs })), sys };
}

function rule(actions: string, when = 'on = ["migrate", "restore"]', name = "r"): string {
  return `[[rule]]\nname = "${name}"\nwhen = { ${when} }\n${actions}\n`;
}

Deno.test("an edit changes its bytes and no other", async () => {
  const { code, sys } = await call(
    rule('edit = { path = "/domain/devices/disk/source/@file", replace = "/tmp/lvn/", with = "/srv/b/" }'),
  );
  assertEquals([code, sys.written.stderr], [0, ""]);
  assertEquals(sys.written.stdout, DOCUMENT.replace("/tmp/lvn/d1.raw", "/srv/b/d1.raw"));
  assert(sys.written.stdout !== DOCUMENT);
});

Deno.test("edits of several rules see the result of the last", async () => {
  const rules = rule(
    'edit = [{ path = "/domain/title", set = "one" }, { path = "/domain/title", replace = "one", with = "${domain} two" }]',
  ) +
    rule(
      'edit = { path = "/domain/title", regex = "(\\\\w+) two", with = "$1 three" }',
      'on = "migrate", xml = "/domain/title"',
      "s",
    );
  const { sys } = await call(rules);
  assertStringIncludes(sys.written.stdout, "<title>vm1 three</title>");
});

const SILENT = [
  {
    name: "no rule matches",
    rules: rule('edit = { path = "/domain/title", set = "x" }', 'on = "migrate", domain = "other"'),
  },
  { name: "a path finds nothing", rules: rule('edit = { path = "/domain/nothing", set = "x" }') },
  { name: "the document is as wanted already", rules: rule('edit = { path = "/domain/name", set = "vm1" }') },
  {
    name: "an edit undoes another",
    rules: rule(
      'edit = [{ path = "/domain/devices/disk/source/@file", replace = "/tmp/", with = "/t/" }, { path = "/domain/devices/disk/source/@file", replace = "/t/", with = "/tmp/" }]',
    ),
  },
];

for (const { name, rules } of SILENT) {
  Deno.test(`nothing is printed when ${name}`, async () => {
    const { code, sys } = await call(rules);
    assertEquals([code, sys.written.stdout, sys.written.stderr], [0, "", ""]);
  });
}

const REFUSED = [
  {
    name: "a changed name",
    edit: '{ path = "/domain/name", set = "vm2" }',
    told: 'the guest\'s name must stay "vm1": it would be "vm2"',
  },
  { name: "a removed uuid", edit: '{ path = "/domain/uuid", remove = true }', told: "the guest's uuid must stay" },
  { name: "a changed type", edit: '{ path = "/domain/@type", set = "kvm" }', told: "the guest's type must stay" },
  { name: "a removed root", edit: '{ path = "/domain", remove = true }', told: "the root element cannot be removed" },
];

for (const { name, edit, told } of REFUSED) {
  Deno.test(`the call fails, and nothing is printed, for ${name}`, async () => {
    const { code, sys } = await call(rule(`edit = ${edit}`));
    assertEquals([code, sys.written.stdout], [4, ""]);
    assertStringIncludes(sys.written.stderr, told);
  });
}

Deno.test("a refusal or a failure behind an edit prints no document", async () => {
  const edit = 'edit = { path = "/domain/title", set = "x" }';
  const refused = await call(`${rule(edit)}${rule('deny = "no"', 'on = "migrate"', "s")}`);
  assertEquals([refused.code, refused.sys.written.stdout], [1, ""]);
  const failed = await call(`${rule(edit)}${rule('run = { argv = ["/opt/missing"] }', 'on = "migrate"', "s")}`);
  assertEquals([failed.code, failed.sys.written.stdout], [4, ""]);
});

Deno.test("an edit that may fail leaves the document to the others", async () => {
  const { code, sys } = await call(
    rule('edit = [{ path = "/domain", remove = true, on_error = "continue" }, { path = "/domain/title", set = "x" }]'),
  );
  assertEquals(code, 0);
  assertStringIncludes(sys.written.stdout, "<title>x</title>");
  assertStringIncludes(sys.written.stderr, "the root element cannot be removed");
});

Deno.test("an expression that a value keeps busy fails, and what comes after it has its time", async () => {
  const title = `<title>${"a".repeat(3000)}</title>`;
  const document = DOCUMENT.replace(/<title>.*<\/title>/, title);
  assertStringIncludes(document, title);
  const rules = rule(
    'edit = [{ path = "/domain/title", regex = "a(?:.*b)?", with = "", on_error = "continue" }, { path = "/domain/description", regex = "(?s).+", with = "done" }]',
  );
  const { code, sys } = await call(rules, { document, lookMs: 1 });
  assertEquals(code, 0);
  assertStringIncludes(sys.written.stderr, "Cannot run the expression: the value takes it too long");
  assertStringIncludes(sys.written.stdout, title);
  assertStringIncludes(sys.written.stdout, "<description>done</description>");
  assert(sys.clock.elapsedMs < 3_000, `it went on until ${sys.clock.elapsedMs} ms`);
});

Deno.test("a program at a filter operation reads the document as it is by then, and what it prints is the document", async () => {
  const rules = rule(
    `edit = { path = "/domain/title", set = "x" }\nrun = { argv = ["${PROGRAM}"], input = "document", output = "document" }`,
  );
  const { code, sys } = await call(rules, { program: "echo" });
  assertEquals(code, 0);
  assertStringIncludes(sys.written.stdout, "<title>x</title>");
  assertStringIncludes(new TextDecoder().decode(sys.commands[0]?.stdin), "<title>x</title>");
});

const PRINTED = [
  { name: "nothing leaves the document", program: " \n", code: 0, told: "" },
  {
    name: "text is refused",
    program: "done!",
    code: 4,
    told: "what /opt/rewrite printed cannot be the guest's document",
  },
  { name: "another document is refused", program: "<network/>", code: 4, told: "it is a <network>, not a <domain>" },
  {
    name: "another guest is refused",
    program: "<domain type='qemu'><name>x</name></domain>",
    code: 4,
    told: "the guest's name must stay",
  },
];

for (const { name, program, code, told } of PRINTED) {
  Deno.test(`a program's output = "document": ${name}`, async () => {
    const result = await call(rule(`run = { argv = ["${PROGRAM}"], output = "document" }`), { program });
    assertEquals([result.code, result.sys.written.stdout], [code, ""]);
    assertStringIncludes(result.sys.written.stderr, told);
  });
}

Deno.test('a program without output = "document" never prints the document', async () => {
  const { sys } = await call(rule(`run = { argv = ["${PROGRAM}"] }`), { program: "<domain/>" });
  assertEquals(sys.written.stdout, "");
});

Deno.test("secrets reach neither history nor stderr", async () => {
  assertStringIncludes(DOCUMENT, SECRET);
  const rules = rule(
    `edit = [{ path = "//graphics/@passwd", set = "n3w-${SECRET}" }, { path = "/domain/title", set = "\${xml://graphics/@passwd}" }]\nrun = { argv = ["${PROGRAM}", "--password=\${xml://graphics/@passwd}"], input = "document" }`,
  ) +
    rule(
      'run = { argv = ["/opt/missing", "x${xml://graphics/@passwd}"], on_error = "continue" }',
      'on = "migrate"',
      "s",
    );
  const { code, sys } = await call(rules);
  assertEquals(code, 0);
  const history = sys.nodes.get(HISTORY_FILE)?.text ?? "";
  assertStringIncludes(history, "--password=***");
  assert(!history.includes(SECRET), history);
  assert(!sys.written.stderr.includes(SECRET), sys.written.stderr);
  // The program itself gets what the rule gives it, as it stood when the call began.
  assertEquals(sys.commands[0]?.argv[1], `--password=${SECRET}`);
});

Deno.test("a document that cannot be read refuses what can be refused, when a rule looks at it", async () => {
  const looking = rule('deny = "no"', 'on = ["migrate", "prepare"], xml = "/domain/devices"');
  for (const operation of ["migrate", "prepare"]) {
    const { code, sys } = await call(looking, { operation, document: "<domain><name>vm1</name>" });
    assertEquals([code, sys.written.stdout], [2, ""]);
    assertStringIncludes(sys.written.stderr, "virt-hooks: the document on stdin cannot be read: ");
  }
});

Deno.test("a document that cannot be read is nobody's business when no rule looks at it", async () => {
  const { code } = await call(rule('deny = "no"', 'on = "migrate", domain = "other", xml = "/domain"'), {
    document: "<<<",
  });
  assertEquals(code, 0);
});

const SELECTORS = [
  { name: "a path", when: 'on = "migrate", xml = "/domain/devices/interface[@type=\'network\']"', code: 1 },
  { name: "one of two paths", when: 'on = "migrate", xml = ["/domain/none", "/domain/devices"]', code: 1 },
  { name: "a path that finds nothing", when: 'on = "migrate", xml = "/domain/none"', code: 0 },
  { name: "a well-known prefix", when: 'on = "migrate", xml = "/domain/qemu:commandline"', code: 1 },
  { name: "a uuid", when: 'on = "migrate", uuid = "d3c3c9af-*"', code: 1 },
  { name: "another uuid", when: 'on = "migrate", uuid = "00000000-*"', code: 0 },
  { name: "a uuid without parsing", when: 'on = "prepare", uuid = "d3c3c9af-114d-457e-bc37-d1a15d65c92f"', code: 1 },
  { name: "a label", when: 'on = "migrate", label.role = ["db", "web*"]', code: 1 },
  {
    name: "a label and another that is not there",
    when: 'on = "migrate", label = { role = "web", tier = "*" }',
    code: 0,
  },
];

const LABELLED = DOCUMENT.replace(
  "<metadata>",
  '<metadata>\n    <vh:labels xmlns:vh="urn:virt-hooks:1"><vh:label name="role">web</vh:label></vh:labels>',
);

for (const { name, when, code } of SELECTORS) {
  Deno.test(`a rule can select by ${name}`, async () => {
    const operation = when.includes("prepare") ? "prepare" : "migrate";
    assertEquals((await call(rule('deny = "no"', when), { operation, document: LABELLED })).code, code);
  });
}

Deno.test("a rule binds prefixes of its own", async () => {
  const bound = `${
    rule('deny = "no"', 'on = "migrate", xml = "/domain/metadata/x:x[@a=\'1\']"')
  }ns = { x = "http://example.org/hooks/1" }\n`;
  assertEquals((await call(bound)).code, 1);
});

const FILLINGS = [
  { path: "//nothing", told: "${xml://nothing} has no value at this call" },
  { path: "/domain/*/text()", told: "values at this call, and must have one" },
];

for (const { path, told } of FILLINGS) {
  Deno.test(`a filling needs exactly one value: ${path}`, async () => {
    const { code, sys } = await call(rule(`run = { argv = ["${PROGRAM}", "x\${xml:${path}}"] }`));
    assertEquals([code, sys.commands.length], [4, 0]);
    assertStringIncludes(sys.written.stderr, told);
  });
}

Deno.test("what a program prints is not taken for the document when bytes of it are not text", async () => {
  const sys = memorySys({
    args: ["vm1", "migrate", "begin", "-"],
    stdin: { kind: "whole", bytes: new TextEncoder().encode(DOCUMENT) },
    files: {
      "/etc/virt-hooks/rules.toml": rule(`run = { argv = ["${PROGRAM}"], output = "document" }`),
      [PROGRAM]: { text: ELF_START, mode: 0o755 },
    },
    programs: { [PROGRAM]: () => ({ stdout: DOCUMENT, stdoutIsUtf8: false }) },
  });
  assertEquals([await runHook(drivers.qemu, hostOf(sys)), sys.written.stdout], [4, ""]);
  assertStringIncludes(sys.written.stderr, "cannot be the guest's document: it is not UTF-8");
});

Deno.test("a document that makes a path look at too much is refused like one that cannot be read", async () => {
  const hostile = `<domain>${"<b/>".repeat(15_000)}</domain>`;
  const rules = rule('deny = "no"', 'on = "migrate", xml = "//b[../b[../b]]"');
  const { code, sys } = await call(rules, { document: hostile });
  assertEquals([code, sys.written.stdout], [2, ""]);
  assertStringIncludes(sys.written.stderr, "it looks at more than 2000000 nodes");
});

Deno.test("a part of a secret that an edit finds is not noted, nor a label or a name that is one", async () => {
  const labelled = DOCUMENT.replace(
    "<metadata>",
    `<metadata>\n<vh:labels xmlns:vh="urn:virt-hooks:1"><vh:label name="password">l4bel-${SECRET}</vh:label></vh:labels>`,
  );
  const parts = await call(
    rule(
      'edit = { path = "//graphics/@passwd", replace = "s3cr", with = "x" }',
      'on = "migrate", label.password = "*"',
    ),
    { document: labelled },
  );
  const history = parts.sys.nodes.get(HISTORY_FILE)?.text ?? "";
  assertStringIncludes(history, '"from":"***"');
  assert(!history.includes("l4bel"), history);
  const named = await call(rule('edit = { path = "/domain/name", set = "${xml://graphics/@passwd}" }'));
  assertEquals(named.code, 4);
  assert(!named.sys.written.stderr.includes(SECRET), named.sys.written.stderr);
});

Deno.test("what is cut short by a signal fails a migration, and hands over nothing", async () => {
  const sys = memorySys({
    args: ["vm1", "migrate", "begin", "-"],
    stdin: { kind: "whole", bytes: new TextEncoder().encode(DOCUMENT) },
    files: {
      "/etc/virt-hooks/rules.toml": rule(
        `edit = { path = "/domain/title", set = "x" }\nrun = { argv = ["${PROGRAM}"], on_error = "continue" }`,
      ),
      [PROGRAM]: { text: ELF_START, mode: 0o755 },
    },
    programs: { [PROGRAM]: () => ({ end: { kind: "interrupted", signal: "SIGTERM" } }) },
  });
  assertEquals([await runHook(drivers.qemu, hostOf(sys)), sys.written.stdout], [4, ""]);
});

Deno.test("a document that one rule cannot look at does not switch off the others of a running guest", async () => {
  const rules =
    `[[rule]]\nname = "looks"\nwhen = { driver = "qemu", on = "started", xml = "/domain/devices" }\nrun = { argv = ["${PROGRAM}", "looks"] }\n` +
    `[[rule]]\nname = "watches"\nwhen = { driver = "qemu", on = "started" }\nrun = { argv = ["${PROGRAM}", "watches"] }\n` +
    `[[rule]]\nname = "fills"\nwhen = { driver = "qemu", on = "started" }\nrun = { argv = ["${PROGRAM}", "x\${xml:/domain/name}"] }\n`;
  const { code, sys } = await call(rules, { operation: "started", document: "<domain>" });
  assertEquals([code, sys.commands.map((command) => command.argv[1])], [0, ["watches"]]);
  assertStringIncludes(sys.written.stderr, "the document on stdin cannot be read");
});
