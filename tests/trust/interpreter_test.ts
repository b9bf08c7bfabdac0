import { namedPaths, takesInlineCode } from "../../lib/trust/interpreter.ts";
import { assertEquals } from "../support/assert.ts";

/** X stands for a word with a value of the call. */
const TAKES_CODE = [
  "/bin/sh X",
  "/bin/bash -eu /opt/x X",
  "/usr/bin/python3 -c pass X",
  "/usr/bin/python3 -Ic pass X",
  "/usr/bin/python3 X",
  "/usr/bin/python3 -E X",
  "/usr/bin/perl -ne pass X",
  "/usr/bin/node --eval=1 X",
  "/usr/bin/env -S X",
  "/usr/bin/env /opt/x X",
  "/usr/bin/awk -f /opt/x X",
  "/usr/bin/make X",
  "/usr/bin/gdb X",
  "/usr/bin/expect X",
  "/usr/bin/script -c X",
  "/usr/bin/watch X",
  "/usr/bin/sqlite3 X",
  "/usr/bin/prlimit X",
  "/usr/sbin/ip netns exec n X",
  "/lib64/ld-linux-x86-64.so.2 X",
  "/opt/x /usr/bin/env X",
  "/usr/sbin/capsh -- -c X",
  "/usr/bin/sg root -c X",
  "/usr/bin/sshpass -e ssh host X",
  "/usr/bin/autossh host X",
  "/usr/bin/posh X",
] as const;

const TAKES_NONE = [
  "/usr/bin/python3 -E /opt/x X",
  "/usr/bin/python3 -I /opt/x X",
  "/usr/bin/python3 -m module X",
  "/usr/bin/perl -w /opt/x X",
  "/usr/sbin/ip link set X up",
  "/opt/watch X",
  "/opt/sg X",
  "/usr/local/sbin/script X",
  "/opt/x watch X",
  "/opt/x find X",
] as const;

for (const [texts, takes] of [[TAKES_CODE, true], [TAKES_NONE, false]] as const) {
  for (const text of texts) {
    Deno.test(`takesInlineCode() says ${takes} to ${text}`, () => {
      const [program = "", ...args] = text.split(" ");
      const filled = [program, ...args].flatMap((word, index) => word === "X" ? [index] : []);
      assertEquals(takesInlineCode({ argv: [program, ...args], filled }), takes);
    });
  }
}

const NAMED: Readonly<Record<string, readonly string[]>> = {
  "/a/b": ["file /a/b"],
  "a/b": ["file /a/b"],
  "-f/a": ["file /-f/a", "file /a"],
  "-I/a": ["file /-I/a", "folder /a"],
  "--file=/a": ["file /--file=/a", "file /a"],
  "A=B=/c": ["file /A=B=/c", "file /B=/c", "file /c", "file /B"],
  "PATH=/a:/b": ["file /PATH=/a:/b", "file /a:/b", "folder /a", "folder /b"],
  "--setenv=PYTHONPATH=/a": [
    ...["file /--setenv=PYTHONPATH=/a", "file /PYTHONPATH=/a", "file /a", "folder /PYTHONPATH", "folder /a"],
  ],
  "of,/a": ["file /of,/a", "file /of", "file /a"],
  "exec '/a' >/b": ["file /exec '/a' >/b", "code /a", "code /b"],
  "-Ca/b": ["file /-Ca/b", "file /b", "file /a/b"],
  "cd /a; ./b": ["file /cd /a; ./b", "code /a", "code /./b", "folder /a"],
  "cd -P -- a; b": ["file /cd -P -- a; b", "folder /a"],
  "/a;b/c": ["file /a;b/c", "code /a", "code /b/c"],
  ". a/b": ["file /. a/b", "code /a/b"],
  "PATH=/a:/b c": [
    ...["file /PATH=/a:/b c", "file /a:/b c", "folder /a", "folder /b c", "code /a:/b", "folder /b"],
  ],
  "": [],
};

for (const [word, want] of Object.entries(NAMED)) {
  Deno.test(`namedPaths() finds in "${word}"`, () => {
    assertEquals(namedPaths(word).map(({ kind, path }) => `${kind} ${path}`), want);
  });
}
