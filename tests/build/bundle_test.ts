import { BuildError } from "../../build/build_error.ts";
import {
  type Bundle,
  bundleBinary,
  bundleBytes,
  bundleMistakes,
  filesFrom,
  renameChunks,
  startBytes,
  withVersion,
} from "../../build/bundle.ts";
import { VERSION } from "../../lib/app/product.ts";
import { namesVersion } from "../../build/start_check.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";

const ACCEPTED = [
  { name: "one file", files: { "qemu.js": "Deno.exit(0);" } },
  {
    name: "literal imports of its own chunks",
    files: {
      "qemu.js": 'import{a}from"./chunk-A.js";let{b}=await import("./late-B.js");import.meta.url',
      "late-B.js": 'import"./chunk-A.js";export let b=1',
      "chunk-A.js": "export let a=1",
    },
  },
  {
    name: "words that only look like what is forbidden",
    files: { "qemu.js": 'let importer=1,Workers=2,x="no import"' },
  },
];
for (const { name, files } of ACCEPTED) {
  Deno.test(`bundleMistakes() accepts ${name}`, () => assertEquals(bundleMistakes(bundleOf(files)), []));
}

const REFUSED = [
  { name: "a computed import", text: "await import(x)", want: "an import() of a computed name in qemu.js" },
  {
    name: "an import of a template",
    text: "await import(`./a.js`)",
    want: "an import() of a computed name in qemu.js",
  },
  {
    name: "an import that continues after its literal",
    text: 'await import("./qemu.js"+x)',
    want: "an import() of a computed name in qemu.js",
  },
  { name: "a file that is not there", text: 'await import("./b.js")', want: 'an import() of "b.js" in qemu.js' },
  { name: "a file elsewhere", text: 'await import("/a.js")', want: "an import() of a computed name in qemu.js" },
  { name: "a Worker", text: "new Worker(x)", want: "a Worker in qemu.js" },
  { name: "a Worker by another name", text: "let W=globalThis.Worker;", want: "a Worker in qemu.js" },
  { name: "createRequire", text: "createRequire(x)", want: "createRequire in qemu.js" },
  { name: "a package", text: 'import{a}from"npm:a@1";', want: "an import of a package or of node:* in qemu.js" },
  { name: "a module of Node", text: 'import"node:fs";', want: "an import of a package or of node:* in qemu.js" },
];
for (const { name, text, want } of REFUSED) {
  Deno.test(`bundleMistakes() refuses ${name}`, () => {
    assertEquals(bundleMistakes(bundleOf({ "qemu.js": text })), [want]);
  });
}

Deno.test("startBytes() counts what is imported statically, at any depth, and nothing else", () => {
  const files = {
    "qemu.js": 'import{a}from"./a.js";import("./late.js")',
    "a.js": 'export{b as a}from"./b.js"',
    "b.js": "12345",
    "late.js": "1234567",
  };
  const bundle = bundleOf(files);
  assertEquals(startBytes(bundle), files["qemu.js"].length + files["a.js"].length + files["b.js"].length);
  assertEquals(bundleBytes(bundle), startBytes(bundle) + files["late.js"].length);
});

/** For each package that is loaded only when needed: words of one of its messages. */
const LAZY = [
  { what: "the engine of regular expressions", words: "invalid nested repetition operator", chunk: "regex-1.js" },
  { what: "the parser that knows positions", words: "unterminated-string", chunk: "describe-1.js" },
];
for (const entry of ["hooks/qemu.ts", "cli.ts"] as const) {
  Deno.test(`the bundle of ${entry} has what is rarely needed in chunks that nothing loads with itself`, async () => {
    const bundle = await bundleEntry(entry);
    for (const { what, words, chunk } of LAZY) {
      const holders = bundle.files.filter(({ text }) => text.includes(words)).map(({ name }) => name);
      assertEquals(holders, [chunk], what);
      const loaders = bundle.files.filter(({ name }) =>
        name !== chunk && filesFrom(bundle, name).some((file) => file.name === chunk)
      );
      assertEquals(loaders.map(({ name }) => name), [], what);
      assert(bundle.files.some(({ text }) => text.includes(`import("./${chunk}")`)), what);
    }
  });
}

Deno.test("the chunk that answers a call with rules does not load the XML parser", async () => {
  const bundle = await bundleEntry("hooks/qemu.ts");
  const words = "it has a document type";
  assert(bundle.files.some(({ text }) => text.includes(words)), "the parser is in the bundle");
  const loaded = filesFrom(bundle, "answer_call-1.js");
  assert(loaded.length > 1 && loaded.every(({ text }) => !text.includes(words)), "the parser is loaded with the rest");
});

async function bundleEntry(entry: "hooks/qemu.ts" | "cli.ts"): Promise<Bundle> {
  const folder = await Deno.makeTempDir();
  try {
    const root = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
    const kind = entry === "cli.ts" ? "admin" : "hook";
    return await bundleBinary({
      root,
      binary: { name: "x", kind, entry, output: "x" },
      version: "1.2.3",
      folder: `${folder}/x`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bundleOf(files: Readonly<Record<string, string>>): Parameters<typeof bundleMistakes>[0] {
  return { entry: "qemu.js", files: Object.entries(files).map(([name, text]) => ({ name, text })) };
}

Deno.test("withVersion() puts the version in the place of the sources' own, wherever the bundler has put that", () => {
  const bundle = bundleOf({
    "qemu.js": `let a="${VERSION}",b=\`virt-hooks ${VERSION}, run\``,
    "chunk-A.js": "let c=1",
  });
  assertEquals(withVersion(bundle, "1.2.3-$&").files.map(({ text }) => text), [
    'let a="1.2.3-$&",b=`virt-hooks 1.2.3-$&, run`',
    "let c=1",
  ]);
});

Deno.test("namesVersion() distinguishes a version from a longer one", () => {
  const answers = ["virt-hooks 1.2.3", "hint: the qemu hook of virt-hooks 1.2.3, run by libvirt", "virt-hooks 1.2.3\n"];
  for (const answer of answers) assert(namesVersion(answer, "1.2.3"), answer);
  for (const answer of ["", "1.2.3", "virt-hooks 1.2.30", "virt-hooks 1.2.3-rc1", "virt-hooks 11.2.3"]) {
    assert(!namesVersion(answer, "1.2.3"), answer);
  }
});

Deno.test("renameChunks() gives the same names whatever the bundler's hashes are", async () => {
  const one = await renameChunks(bundleWith("AAAAAAAA", "BBBBBBBB", "CCCCCCCC"));
  const two = await renameChunks(bundleWith("33333333", "22222222", "11111111"));
  assertEquals(two, one);
  assertEquals(one.files.map(({ name }) => name), ["chunk-1.js", "chunk-2.js", "qemu.js", "read-1.js"]);
});

Deno.test("renameChunks() renames what is imported as well", async () => {
  const { files } = await renameChunks(bundleWith("AAAAAAAA", "BBBBBBBB", "CCCCCCCC"));
  const texts = Object.fromEntries(files.map(({ name, text }) => [name, text]));
  const second = texts["chunk-1.js"] === "export let b=2" ? 1 : 2;
  assertEquals(texts["qemu.js"], 'await import("./read-1.js")');
  assertEquals(texts["read-1.js"], `import{a}from"./chunk-${3 - second}.js";import{b}from"./chunk-${second}.js"`);
});

Deno.test("renameChunks() leaves a bundle of one file alone", async () => {
  const bundle = { entry: "qemu.js", files: [{ name: "qemu.js", text: "1" }] };
  assertEquals(await renameChunks(bundle), bundle);
});

Deno.test("renameChunks() keeps a chunk apart from the entry of the same stem", async () => {
  const files = [{ name: "qemu.js", text: 'import"./qemu-AAAAAAAA.js"' }, { name: "qemu-AAAAAAAA.js", text: "1" }];
  const renamed = await renameChunks({ entry: "qemu.js", files });
  assertEquals(renamed.files, [{ name: "qemu-1.js", text: "1" }, { name: "qemu.js", text: 'import"./qemu-1.js"' }]);
});

const UNNAMEABLE = [
  { name: "a file that is no chunk", files: ["style.css"], message: "Cannot use the bundle's file style.css" },
  { name: "two chunks alike", files: ["a-AAAAAAAA.js", "a-BBBBBBBB.js"], message: 'two of "a" have the same contents' },
];
for (const { name, files, message } of UNNAMEABLE) {
  Deno.test(`renameChunks() refuses ${name}`, async () => {
    const bundle = { entry: "qemu.js", files: files.map((file) => ({ name: file, text: "1" })) };
    await assertRejects(() => renameChunks(bundle), BuildError, message);
  });
}

function bundleWith(a: string, b: string, read: string): Parameters<typeof renameChunks>[0] {
  return {
    entry: "qemu.js",
    files: [
      { name: `read-${read}.js`, text: `import{a}from"./chunk-${a}.js";import{b}from"./chunk-${b}.js"` },
      { name: `chunk-${b}.js`, text: "export let b=2" },
      { name: "qemu.js", text: `await import("./read-${read}.js")` },
      { name: `chunk-${a}.js`, text: "export let a=1" },
    ],
  };
}
