import type { Story } from "../../lib/story/story.ts";
import { assertEquals } from "../support/assert.ts";
import { blocksOf } from "./pages.ts";
import { mismatch, renewed, type Sources } from "./quote.ts";

const FILES: Readonly<Record<string, string>> = {
  "docs/a/status.txt": "STATE    RESOURCE\nok       x\n         since [NUMBER]-[NUMBER]-[NUMBER]\n1 resource: all ok\n",
  "docs/a/refused.txt": "virt-hooks: no\n",
  "docs/a/rules.toml": "[[rule]]\n",
};

const CALL = {
  stdin: "null" as const,
  environment: {},
  closed: [],
  files: [],
  remove: [],
  signals: [],
  history: null,
  exitCode: 0,
};

const STORY: Story = {
  name: "docs/a",
  folder: "/",
  readFile: () => new Uint8Array(),
  about: "",
  files: [],
  before: [],
  after: {},
  processes: [],
  calls: [
    { ...CALL, program: "virt-hooks", args: ["status"], stdout: "status.txt" },
    { ...CALL, program: "qemu", args: ["web-1", "prepare", "begin", "-"], stderr: "refused.txt" },
  ],
};

const SOURCES: Sources = { read: (file) => FILES[file] ?? "", stories: [STORY] };

const OUTPUT = "STATE    RESOURCE\nok       x\n         since 2026-11-30\n1 resource: all ok\n";

const ROWS: readonly (readonly [string, string, string | undefined])[] = [
  ["the whole output", `console docs/a/status.txt\n# virt-hooks status\n${OUTPUT}`, undefined],
  ["a comment behind the command", `console docs/a/status.txt\n# virt-hooks status   # look\n${OUTPUT}`, undefined],
  ["lines left out", "console docs/a/status.txt\n# virt-hooks status\n…\n1 resource: all ok\n", undefined],
  ["the end of a line left out", `console docs/a/status.txt\n# virt-hooks status\n…\n1 resource: …\n`, undefined],
  ["a command without output", `console docs/a/status.txt\n# true\n# virt-hooks status\n${OUTPUT}`, undefined],
  ["what virsh adds", "console docs/a/refused.txt\n# virsh start web-1\nerror: x: virt-hooks: no\n", undefined],
  ["rules", "toml docs/a/rules.toml\n[[rule]]\n", undefined],
  [
    "another output",
    `console docs/a/status.txt\n# virt-hooks status\n${OUTPUT.replace("ok", "no")}`,
    'the output of "# virt-hooks status" is not docs/a/status.txt',
  ],
  [
    "a line that is missing",
    "console docs/a/status.txt\n# virt-hooks status\nSTATE    RESOURCE\n",
    'the output of "# virt-hooks status" is not docs/a/status.txt',
  ],
  [
    "another command",
    `console docs/a/status.txt\n# virt-hooks check\n${OUTPUT}`,
    'no call of its story with docs/a/status.txt is "# virt-hooks check"',
  ],
  [
    "a file too many",
    `console docs/a/status.txt docs/a/status.txt\n# virt-hooks status\n${OUTPUT}`,
    "it shows the output of 1 commands and names 2 files",
  ],
  ["other rules", "toml docs/a/rules.toml\n[[rules]]\n", "it is not docs/a/rules.toml"],
];

for (const [name, text, expected] of ROWS) {
  Deno.test(`a quote: ${name}`, () => {
    const [block] = blocksOf("x.md", `\`\`\`${text}\`\`\`\n`);
    assertEquals(block === undefined ? "no block" : mismatch(block, SOURCES), expected);
  });
}

Deno.test("a quote is renewed from its file, with samples for placeholders", () => {
  const [block] = blocksOf("x.md", "```console docs/a/status.txt\n# virt-hooks status\nold\n```\n");
  assertEquals(
    block === undefined ? "no block" : renewed(block, SOURCES),
    `# virt-hooks status\n${OUTPUT.replace("2026-11-30", "2-2-2")}`,
  );
});
