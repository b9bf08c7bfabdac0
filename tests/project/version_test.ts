/**
 * Each version is written in one file: the product's in `deno.json`, Deno's in `.deno-version`.
 * @module
 */
import { PINNED_DENO } from "../../build/denort/packages.ts";
import configuration from "../../deno.json" with { type: "json" };
import { VERSION } from "../../lib/app/product.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { filesBelow, readText } from "./files.ts";

const DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"] as const;

const pinned = (await readText(".deno-version")).trim();

Deno.test("the npm packages with denort are those for the version in .deno-version", () => {
  assertEquals(PINNED_DENO, pinned);
});

Deno.test("the documentation uses the version in .deno-version", async () => {
  const pages = [...DOCUMENTS, ...(await filesBelow("docs")).filter((path) => path.endsWith(".md"))];
  const found: string[] = [];
  for (const page of pages) {
    for (const [text, version] of (await readText(page)).matchAll(/\b[Dd]eno\b[@\w\s(]{1,20}?(\d+\.\d+\.\d+)/g)) {
      found.push(text);
      assertEquals(version, pinned, `${page}: ${text}`);
    }
  }
  assert(found.some((text) => text.startsWith("deno@")), "no page says how to run Deno");
});

Deno.test("CI reads the version of Deno from .deno-version", async () => {
  for (const path of [".ci/run", ".github/workflows/ci.yml"]) {
    const text = await readText(path);
    assertMatch(text, /deno@\$\(cat \.deno-version\)/);
    assert(!text.includes(pinned), path);
  }
});

Deno.test("no source contains the version of the product: the build inserts it", async () => {
  assertEquals(VERSION, "0.0.0-source");
  const paths = [...await filesBelow("lib"), ...await filesBelow("hooks"), "cli.ts", "install.sh"];
  for (const path of paths) {
    assert(!(await readText(path)).includes(`"${configuration.version}"`), path);
  }
});

Deno.test("no golden file contains the version of the product", async () => {
  for (const path of await filesBelow("tests/golden")) {
    assert(!(await readText(path)).includes(`virt-hooks ${configuration.version}`), path);
  }
});
