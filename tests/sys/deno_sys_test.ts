import { denoSys } from "../../lib/sys/deno_sys.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("denoSys() tells what is at a path, and undefined where nothing is", async () => {
  const sys = denoSys();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/file`, "text", { mode: 0o640 });
  await Deno.symlink("file", `${folder}/link`);
  const kinds = [".", "file", "link", "none", "file/none"].map((name) => sys.lstat(`${folder}/${name}`)?.kind);
  assertEquals(kinds, ["directory", "file", "symlink", undefined, undefined]);
  assertEquals([sys.lstat(`${folder}/file`)?.mode, sys.lstat(`${folder}/file`)?.sizeBytes], [0o640, 4]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("denoSys() lists a folder in byte order", async () => {
  const plain = ["10", "2", "B", "_", "a", "a.b", "ab", "é", "\uffee"];
  // UTF-16 order would put U+10000 before U+FFEE.
  for (const names of [plain, [...plain, "\u{10000}"]]) {
    const folder = await Deno.makeTempDir();
    for (const name of names.toReversed()) await Deno.writeTextFile(`${folder}/${name}`, "");
    assertEquals(denoSys().readDirectory(folder), names);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denoSys() reads the start of a file of any length, a character a byte", async () => {
  const path = await Deno.makeTempFile();
  const sizeBytes = 5 * 1024 * 1024;
  await Deno.writeFile(path, new Uint8Array(sizeBytes).map((_, index) => index));
  const start = denoSys().readStart(path, 4 * 1024 * 1024);
  assertEquals([start.length, start.charCodeAt(0x80), start.charCodeAt(start.length - 1)], [
    4 * 1024 * 1024,
    0x80,
    0xff,
  ]);
  assertEquals(denoSys().readStart(path, sizeBytes * 2).length, sizeBytes);
  await Deno.remove(path);
});

Deno.test("denoSys() reads text up to a limit, and only UTF-8", async () => {
  const sys = denoSys();
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "äöü");
  assertEquals(sys.readTextFile(path, 6), "äöü");
  assertThrows(() => sys.readTextFile(path, 5), RangeError, "It is longer than 5 bytes");
  await Deno.writeFile(path, new Uint8Array([0xff]));
  assertThrows(() => sys.readTextFile(path, 6), TypeError, "It is not UTF-8 text");
  await Deno.remove(path);
});

Deno.test("denoSys() does what needs a lock only when it has it", async () => {
  const sys = denoSys();
  const path = await Deno.makeTempFile();
  let done = 0;
  sys.tryWithLock(path, () => {
    done++;
    sys.tryWithLock(path, () => done += 100);
  });
  sys.tryWithLock(path, () => done++);
  assertEquals(done, 2);
  await Deno.remove(path);
});

Deno.test("denoSys() lets a lock go once, however often it is told", async () => {
  const sys = denoSys();
  const path = await Deno.makeTempFile();
  const lock = sys.lock(path);
  lock?.[Symbol.dispose]();
  const next = sys.lock(path);
  lock?.[Symbol.dispose]();
  assertEquals([next === undefined, sys.lock(path)], [false, undefined]);
  next?.[Symbol.dispose]();
  await Deno.remove(path);
});

Deno.test("denoSys() appends to a file that only its owner can read", async () => {
  const sys = denoSys();
  const folder = await Deno.makeTempDir();
  sys.appendLine(`${folder}/log`, "a");
  sys.appendLine(`${folder}/log`, "b");
  assertEquals([sys.readTextFile(`${folder}/log`, 10), sys.lstat(`${folder}/log`)?.mode], ["a\nb\n", 0o600]);
  Deno.truncateSync(`${folder}/log`, 3);
  sys.appendLine(`${folder}/log`, "c");
  assertEquals(sys.readTextFile(`${folder}/log`, 10), "a\nb\nc\n");
  await Deno.remove(folder, { recursive: true });
});

/** What each of several processes does, over and over: make a folder, lock a file in it, count, remove both. */
const COUNTER = `
import { denoSys } from "../../lib/sys/deno_sys.ts";
const sys = denoSys();
const [folder, counter, rounds] = Deno.args;
for (let round = 0; round < Number(rounds);) {
  let lock;
  try {
    Deno.mkdirSync(folder);
  } catch {
    // Another one has made it.
  }
  try {
    lock = sys.lock(folder + "/lock");
  } catch {
    continue;
  }
  if (lock === undefined) continue;
  Deno.writeTextFileSync(counter, String(Number(Deno.readTextFileSync(counter)) + 1));
  sys.removeFile(folder + "/lock");
  try {
    sys.removeFile(folder);
  } catch {
    // Another one has put its lock there.
  }
  lock[Symbol.dispose]();
  round++;
}
`;

Deno.test("denoSys() gives a lock whose file its holder removes to one process at a time", async () => {
  const [processes, rounds] = [4, 500];
  const folder = await Deno.makeTempDir();
  const counter = `${folder}/counter`;
  const program = new URL(`./removed_lock_${crypto.randomUUID()}.ts`, import.meta.url);
  await Deno.writeTextFile(program, COUNTER);
  await Deno.writeTextFile(counter, "0");
  try {
    const args = ["run", "-A", "--no-check", program.pathname, `${folder}/place`, counter, String(rounds)];
    const ends = await Promise.all(
      Array.from({ length: processes }, () => new Deno.Command(Deno.execPath(), { args }).output()),
    );
    assertEquals(ends.map(({ code }) => code), Array.from({ length: processes }, () => 0));
    assertEquals(await Deno.readTextFile(counter), String(processes * rounds));
  } finally {
    await Deno.remove(program);
    await Deno.remove(folder, { recursive: true });
  }
});
