/** What a private root promises: exactness inside, nothing outside. */
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import {
  type CallResult,
  openPrivateRoot,
  type PrivateRoot,
  privateRootRefusal,
  type Stdin,
} from "../../lib/story/private_root.ts";

const SH = "/bin/sh";

const REFUSAL = await privateRootRefusal();
const NOTE = REFUSAL === undefined ? "" : ` (NOT TRIED: ${REFUSAL})`;

/** A test in a private root, tried where the machine gives one, and always in CI. */
function testInside(name: string, fn: (root: PrivateRoot) => Promise<void>): void {
  Deno.test({
    name: `private root: ${name}${NOTE}`,
    ignore: REFUSAL !== undefined && Deno.env.get("CI") !== "true",
    fn: async () => {
      const opened = await openPrivateRoot([{ from: "/bin/sh", at: "/opt/shown" }]);
      if (opened.kind === "refused") throw new Error(`Cannot make a private root: ${opened.reason}`);
      await using root = opened.root;
      await fn(root);
    },
  });
}

function text({ exitCode, stdout, stderr }: CallResult): readonly [number, string, string] {
  const characters = Array.from(stdout, (byte) => String.fromCharCode(byte)).join("");
  return [exitCode, characters, new TextDecoder().decode(stderr)];
}

testInside("arguments and environment arrive untouched", async (root) => {
  const odd = ["a b", "", "'", "$(id)", "two\nlines\n", "--", new Uint8Array([0xff, 0x81, 0x88, 0x01])];
  const argv = [SH, "-c", 'printf "[%s]" "$@"; tr "\\0" "\\n" </proc/$$/environ', "sh", ...odd];
  const result = await root.run({ argv, environment: { A: "'x y'" } });
  assertEquals(text(result), [0, "[a b][]['][$(id)][two\nlines\n][--][\u00ff\u0081\u0088\u0001]A='x y'\n", ""]);
});

testInside("stdin is what the call asks for", async (root) => {
  async function count(stdin: Stdin): Promise<string> {
    const script = "if [ -e /proc/$$/fd/0 ]; then wc -c; else echo closed; fi";
    const result = await root.run({ argv: [SH, "-c", script], stdin });
    return new TextDecoder().decode(result.stdout).trim();
  }
  assertEquals(await count({ kind: "null" }), "0");
  assertEquals(await count({ kind: "empty" }), "0");
  assertEquals(await count({ kind: "closed" }), "closed");
  assertEquals(await count({ kind: "zeros", byteCount: 200_000 }), "200000");
  assertEquals(await count({ kind: "bytes", bytes: new Uint8Array(100_000) }), "100000");
});

testInside("a call ends when nobody holds its streams any more, and all its bytes arrive", async (root) => {
  const script = "head -c 300000 /dev/zero; (sleep 0.3; echo late >&2) & exit 7";
  const result = await root.run({ argv: [SH, "-c", script] });
  assertEquals([result.exitCode, result.stdout.length, new TextDecoder().decode(result.stderr)], [
    7,
    300_000,
    "late\n",
  ]);
  assertEquals(result.durationMs >= 290, true);
});

testInside("a signal is sent once the call is ready for it", async (root) => {
  const script = "trap 'echo told; exit 3' TERM; : >/run/ready; while :; do sleep 0.02; done";
  const signals = [{ name: "TERM", onceExists: "/run/ready" }] as const;
  assertEquals(text(await root.run({ argv: [SH, "-c", script], signals })), [3, "told\n", ""]);
});

testInside("things are put in place and read back", async (root) => {
  await root.place([
    { kind: "file", path: "/opt/a b/file", content: "ü\n", mode: "0640" },
    { kind: "fifo", path: "/opt/fifo", mode: "0600" },
    { kind: "folder", path: "/opt/folder", mode: "0777" },
    { kind: "link", path: "/opt/link", target: "a b/file" },
  ]);
  const listed = await root.sh("cd /opt; stat -c '%n %F %a %u' 'a b/file' fifo folder; readlink link");
  assertEquals(listed, "a b/file regular file 640 0\nfifo fifo 600 0\nfolder directory 777 0\na b/file\n");
  assertEquals(await root.read("/opt/link"), new TextEncoder().encode("ü\n"));
  assertEquals([await root.read("/opt/fifo"), await root.read("/opt/none")], [undefined, undefined]);
});

testInside("nothing of the host can be written, and /sys and its kernel's settings are not there", async (root) => {
  const script =
    "for path in /usr /bin/sh /opt/shown /private/calls; do (: >>$path) 2>/dev/null && echo $path; done; " +
    "grep -v -e ' / / ' -e ' /proc' -e ' /dev/' /proc/self/mountinfo | grep -v ' ro,' || :; ls /sys /proc/sys/kernel";
  assertEquals(await root.sh(script), "/proc/sys/kernel:\nhostname\nrandom\n\n/sys:\nkernel\n");
  assertEquals(await root.sh("id -u; hostname; ls /tmp"), "0\nhv-01\n");
});

testInside("lines of sh that fail are told", async (root) => {
  const error = await assertRejects(() => root.sh("false\necho not reached"), Error);
  assertMatch(error.message, /^Cannot do this in the private root: false/);
});

testInside("a call that takes too long ends the whole root", async (root) => {
  const argv = [SH, "-c", "trap '' TERM; setsid sleep 1003 & wait"];
  const error = await assertRejects(() => root.run({ argv, limitMs: 200 }), Error);
  assertMatch(error.message, /^Cannot finish in the private root within 200 ms/);
});
