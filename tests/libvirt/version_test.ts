/** Versions of libvirt by the names of its library, and what each version calls. */
import { drivers } from "../../lib/libvirt/drivers.ts";
import {
  callsOperation,
  isOlder,
  parseVersion,
  passesReason,
  versionOfLibrary,
  versionText,
} from "../../lib/libvirt/version.ts";
import { assertEquals } from "../support/assert.ts";

const LIBRARIES: readonly (readonly [name: string, version: string | undefined])[] = [
  ["libvirt.so.0.9000.0", "9.0.0"],
  ["/usr/lib/x86_64-linux-gnu/libvirt.so.0.10005.0", "10.5.0"],
  ["/usr/lib64/libvirt.so.0.12009.1 (deleted)", "12.9.1"],
  ["libvirt.so.0", undefined],
  ["/usr/lib/libvirt-qemu.so.0.9000.0", undefined],
  ["/usr/lib/libvirt.so.0.9000.0/x", undefined],
  ["mylibvirt.so.0.9000.0", undefined],
  ["", undefined],
];

for (const [name, version] of LIBRARIES) {
  Deno.test(`the library ${JSON.stringify(name)} is of libvirt ${version}`, () => {
    const found = versionOfLibrary(name);
    assertEquals(found === undefined ? undefined : versionText(found), version);
  });
}

const OLDER = [
  ["9.0.0", "10.5.0", true],
  ["10.5.0", "10.5.0", false],
  ["10.4.9", "10.5.0", true],
  ["11.0.0", "10.5.0", false],
  ["10.5.0", "10.5.1", true],
] as const;

for (const [version, than, older] of OLDER) {
  Deno.test(`libvirt ${version} is ${older ? "" : "not "}older than ${than}`, () => {
    assertEquals(isOlder(parseVersion(version), parseVersion(than)), older);
  });
}

Deno.test("the shut-off reason is passed from 10.5.0 on", () => {
  assertEquals(["9.0.0", "10.4.0", "10.5.0", "12.9.0"].map((text) => passesReason(parseVersion(text))), [
    ...[false, false, true, true],
  ]);
});

Deno.test("an operation is called from its first version until the first that calls it no more", () => {
  const { attach, restore } = drivers.qemu.operations;
  const calls = (operation: typeof attach | typeof restore): readonly boolean[] =>
    ["0.9.12", "1.2.9", "5.4.0", "5.5.0"].map((text) => callsOperation(parseVersion(text), operation));
  assertEquals([calls(attach), calls(restore)], [[false, true, true, false], [false, true, true, true]]);
});

Deno.test("every operation of every driver says from which version on it is called", () => {
  for (const { operations } of Object.values(drivers)) {
    for (const { since } of Object.values(operations)) assertEquals(versionText(parseVersion(since)), since);
  }
});
