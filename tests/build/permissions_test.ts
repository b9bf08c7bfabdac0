import { BuildError } from "../../build/build_error.ts";
import { expectedPermissions, GRANTS, grantsOf, permissionMistakes } from "../../build/permissions.ts";
import { listBinaries } from "../../build/project.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { HOOK_SETTINGS } from "./fake_binary.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

Deno.test("the table of permissions has a row for every binary, and no other", async () => {
  const names = (await listBinaries(ROOT)).map(({ name }) => name);
  assertEquals(Object.keys(GRANTS).toSorted(), names.toSorted());
});

for (const [name, { permissions }] of Object.entries(GRANTS)) {
  Deno.test(`${name} may not do everything, nor reach the network, native code or remote code`, () => {
    const flags = new Set<string>(permissions);
    assertEquals(flags.has("--allow-all") || flags.has("-A"), false);
    assertEquals([...flags].filter((flag) => /^--allow-(net|ffi|import)/.test(flag)), []);
    for (const flag of ["--deny-net", "--deny-ffi", "--deny-import"]) assertEquals(flags.has(flag), true, flag);
  });

  Deno.test(`${name} is granted whole sets or absolute paths: a relative one would follow its caller`, () => {
    for (const flag of permissions.filter((flag) => /^--allow-(read|write|run)=/.test(flag))) {
      const relative = flag.split("=")[1]?.split(",").filter((path) => !path.startsWith("/"));
      assertEquals(relative, [], flag);
    }
  });
}

Deno.test("grantsOf() refuses a binary without a row", () => {
  const error = assertThrows(() => grantsOf("bhyve"), BuildError, "Cannot build bhyve");
  assertEquals(error.hint, "add it to GRANTS in build/permissions.ts");
  assertThrows(() => grantsOf("constructor"), BuildError);
});

Deno.test("expectedPermissions() distinguishes a flag without values from one with values", () => {
  const expected = expectedPermissions({ permissions: ["--allow-run", "--allow-write=/a,/b"], v8Flags: [] });
  assertEquals([...expected], [["allow_run", []], ["allow_write", ["/a", "/b"]]]);
});

Deno.test("permissionMistakes() accepts what a hook's row asks for", () => {
  assertEquals(permissionMistakes(permissions({}), GRANTS.qemu), []);
});

const MISTAKES = [
  { name: "too much", embedded: { allow_net: [] }, want: ["allow_net is [], not null"] },
  { name: "too little", embedded: { deny_net: null }, want: ["deny_net is null, not []"] },
  {
    name: "other values",
    embedded: { allow_write: ["/"] },
    want: ['allow_write is ["/"], not ["/var/log/virt-hooks","/run/virt-hooks"]'],
  },
  {
    name: "a kind that this build does not know",
    embedded: { allow_all: true },
    want: ["allow_all is true, not null"],
  },
  {
    name: "imports that are not denied",
    embedded: { deny_import: null },
    want: ['allow_import is ["example.org:443"], not null', "deny_import is null, not []"],
  },
];
for (const { name, embedded, want } of MISTAKES) {
  Deno.test(`permissionMistakes() finds ${name}`, () => {
    assertEquals([...permissionMistakes(permissions(embedded), GRANTS.qemu)].toSorted(), want.toSorted());
  });
}

function permissions(
  changes: Readonly<Record<string, string[] | boolean | null>>,
): Parameters<typeof permissionMistakes>[0] {
  const copy: Record<string, unknown> = structuredClone(HOOK_SETTINGS.permissions);
  return { ...copy, ...changes, prompt: false } as Parameters<typeof permissionMistakes>[0];
}
