import { containsText, parseTrailer } from "../../build/trailer.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { fakeElf, fakeProgram, HOOK_SETTINGS } from "./fake_binary.ts";

Deno.test("parseTrailer() reads the settings, the files and where it begins", () => {
  const bytes = fakeProgram({
    tree: [
      { Dir: { n: "later", e: [{ File: { n: "b.js", o: [2, 2] } }, { Symlink: { n: "c.js", p: ["qemu.js"] } }] } },
      { File: { n: "qemu.js", o: [0, 2] } },
    ],
  });
  const trailer = parseTrailer(bytes);
  assertEquals(trailer.files, ["later/b.js", "later/c.js", "qemu.js"]);
  assertEquals(trailer.settings.code_cache_key, null);
  assertEquals(trailer.settings.permissions["allow_run"], []);
  assertEquals(trailer.startBytes, fakeElf({ text: "d3n0l4nd and other words" }).length);
});

Deno.test("parseTrailer() finds a trailer that other parts of the file follow", () => {
  assertEquals(parseTrailer(fakeProgram({ after: ".shstrtab\0.note.sui\0d3n0l4nd" })).files, ["qemu.js"]);
});

Deno.test("parseTrailer() ignores the magic word inside an embedded file", () => {
  // Not followed by a length and JSON, it is a word like any other.
  assertEquals(parseTrailer(fakeProgram({ data: '"d3n0l4nd",1;' })).files, ["qemu.js"]);
});

Deno.test("parseTrailer() ignores a length after the end mark that looks like the start of JSON", () => {
  assertEquals(parseTrailer(fakeProgram({ after: "12345678{\x07\x06\0\0\0\0\0" })).files, ["qemu.js"]);
});

const REFUSED = [
  { name: "a bare runtime", bytes: fakeElf({ text: "d3n0l4nd" }), message: "Cannot find the trailer" },
  { name: "a trailer that is cut off", bytes: fakeProgram().subarray(0, -12), message: "it is cut off" },
  { name: "a trailer without its end mark", bytes: fakeProgram().subarray(0, -1), message: "its end mark is missing" },
  {
    name: "embedded packages",
    bytes: fakeProgram({ packages: new Uint8Array(20).fill(1, 0, 1) }),
    message: "packages or remote modules are embedded",
  },
  {
    name: "settings without permissions",
    bytes: fakeProgram({ settings: { ...HOOK_SETTINGS, permissions: undefined } }),
    message: "its settings: ",
  },
  {
    name: "a list of files of another shape",
    bytes: fakeProgram({ tree: [{ Pipe: {} }] }),
    message: "its list of files",
  },
];
for (const { name, bytes, message } of REFUSED) {
  Deno.test(`parseTrailer() refuses ${name}`, () => {
    assertThrows(() => parseTrailer(bytes), SyntaxError, message);
  });
}

Deno.test("containsText() looks from the given place on, to the very end", () => {
  const bytes = new TextEncoder().encode("/home/a /homes /home/b");
  assert(containsText(bytes, "/home/a", 0));
  assert(!containsText(bytes, "/home/a", 1));
  assert(containsText(bytes, "/home/b", 9));
  assert(!containsText(bytes, "/home/bb", 0));
});
