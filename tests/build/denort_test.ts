import { BuildError } from "../../build/build_error.ts";
import { sha256Hex, sha512Base64 } from "../../build/checksum.ts";
import { checkDenort, findDenort } from "../../build/denort/find.ts";
import { denortFromTarball, type DenortPackage, denortPackage, PINNED_DENO } from "../../build/denort/packages.ts";
import { TARGET_NAMES } from "../../build/target.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { BARE_DENORT, fakeElf, fakeProgram } from "./fake_binary.ts";

const WANTED = { path: "/x/denort", target: "x86_64-unknown-linux-gnu", denoVersion: "2.7.11" } as const;
const GOOD_TEXT = `${BARE_DENORT} Deno/0.80.0 Deno/2.7.11+6ddbb09`;

Deno.test("checkDenort() accepts the bare runtime of the right machine and version", () => {
  checkDenort(fakeElf({ text: GOOD_TEXT }), WANTED);
});

const REFUSED = [
  { name: "a text", bytes: new TextEncoder().encode("no program"), message: "it is no 64-bit ELF file" },
  {
    name: "another machine's",
    bytes: fakeElf({ text: GOOD_TEXT, machine: 183 }),
    message: "Cannot use /x/denort as denort for x86_64-unknown-linux-gnu: it is for aarch64",
  },
  {
    name: "a machine that is not a target",
    bytes: fakeElf({ text: GOOD_TEXT, machine: 243 }),
    message: "it is for ELF machine 243",
  },
  {
    name: "another version's",
    bytes: fakeElf({ text: `${BARE_DENORT} Deno/2.9.6` }),
    message: "Cannot use /x/denort as denort: it is version 2.9.6, and the Deno that builds is 2.7.11",
  },
  {
    name: "a longer version that begins like the right one",
    bytes: fakeElf({ text: `${BARE_DENORT} Deno/2.7.110` }),
    message: "it is version 2.7.110",
  },
  { name: "an unknown version", bytes: fakeElf({ text: BARE_DENORT }), message: "it is of an unknown version" },
  { name: "Deno itself", bytes: fakeElf({ text: "Deno/2.7.11" }), message: "it is another program" },
  { name: "a compiled program", bytes: fakeProgram(), message: "it is a compiled program" },
];
for (const { name, bytes, message } of REFUSED) {
  Deno.test(`checkDenort() refuses ${name}`, () => {
    assertThrows(() => checkDenort(bytes, WANTED), BuildError, message);
  });
}

Deno.test("checkDenort() names the version of Deno for a denort of another version", () => {
  const error = assertThrows(
    () => checkDenort(fakeElf({ text: `${BARE_DENORT} Deno/2.9.6` }), WANTED),
    BuildError,
  );
  assert(error.hint.includes("npx -y deno@2.9.6 task build"), error.hint);
});

Deno.test("findDenort() reports a given file that does not exist", async () => {
  const search = { target: WANTED.target, given: "/nonexistent/denort", onProgress: () => {} };
  await assertRejects(() => findDenort(search), BuildError, "Cannot read denort /nonexistent/denort");
});

Deno.test("findDenort() refuses a given file of another machine", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/denort`, fakeElf({ machine: 183, text: GOOD_TEXT }));
    const search = { target: WANTED.target, given: `${folder}/denort`, onProgress: () => {} };
    await assertRejects(() => findDenort(search), BuildError, "it is for aarch64");
  });
});

for (const target of TARGET_NAMES) {
  Deno.test(`there is a package with the pinned denort for ${target}`, () => {
    const known = denortPackage(PINNED_DENO, target);
    assert(/^[0-9a-f]{64}$/.test(known?.denortSha256 ?? ""));
    assertEquals(Uint8Array.fromBase64(known?.tarballSha512 ?? "").length, 64);
    assert(/^@?[^@]+@\d+\.\d+\.\d+$/.test(known?.name ?? ""), "a package without an exact version");
  });
}

Deno.test("denortPackage() knows none for another version", () => {
  assertEquals(denortPackage("2.9.6", "x86_64-unknown-linux-gnu"), undefined);
  assertEquals(denortPackage("constructor", "x86_64-unknown-linux-gnu"), undefined);
});

Deno.test("denortFromTarball() extracts denort from the program in a package", async () => {
  await withTarball(async (tarball, wanted) => {
    assertEquals(await denortFromTarball(tarball, wanted), fakeElf({ text: GOOD_TEXT }));
  });
});

Deno.test("denortFromTarball() refuses a tarball that was changed", async () => {
  await withTarball(async (tarball, wanted) => {
    await Deno.writeFile(tarball, new Uint8Array([0]), { append: true });
    const error = await assertRejects(() => denortFromTarball(tarball, wanted), BuildError, "its sha512 is ");
    assert(error.message.endsWith(`not ${wanted.tarballSha512}`), error.message);
    assert(error.hint.includes("--denort FILE"), error.hint);
  });
});

Deno.test("denortFromTarball() refuses another denort, whatever the tarball's hash", async () => {
  await withTarball(async (tarball, wanted) => {
    const other = { ...wanted, denortSha256: "0".repeat(64) };
    const error = await assertRejects(() => denortFromTarball(tarball, other), BuildError, "its sha256 is ");
    assert(error.message.endsWith(`not ${"0".repeat(64)}`), error.message);
  });
});

Deno.test("denortFromTarball() reports a tarball without the program", async () => {
  await withTarball(async (tarball, wanted) => {
    const other = { ...wanted, member: "package/bin/nothing" };
    await assertRejects(() => denortFromTarball(tarball, other), BuildError, "Cannot unpack the npm package");
  });
});

/** Runs a test with a tarball that contains a compiled program, and with its description. */
async function withTarball(test: (tarball: string, wanted: DenortPackage) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const denort = fakeElf({ text: GOOD_TEXT });
    await Deno.mkdir(`${folder}/package/bin`, { recursive: true });
    await Deno.writeFile(`${folder}/package/bin/program`, new Uint8Array([...denort, ...fakeProgram()]));
    const tarball = `${folder}/package.tgz`;
    const { success } = await new Deno.Command("tar", { args: ["-czf", tarball, "-C", folder, "package"] }).output();
    assert(success, "tar failed");
    await test(tarball, {
      name: "@example/program@1.0.0",
      member: "package/bin/program",
      tarballSha512: await sha512Base64(await Deno.readFile(tarball)),
      denortSha256: await sha256Hex(denort),
    });
  });
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
