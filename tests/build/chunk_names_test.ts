import { BuildError } from "../../build/build_error.ts";
import { renameChunks } from "../../build/chunk_names.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

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

const REFUSED = [
  { name: "a file that is no chunk", files: ["style.css"], message: "Cannot use the bundle's file style.css" },
  { name: "two chunks alike", files: ["a-AAAAAAAA.js", "a-BBBBBBBB.js"], message: 'two of "a" have the same contents' },
];
for (const { name, files, message } of REFUSED) {
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
