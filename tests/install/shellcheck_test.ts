import { assertEquals } from "../support/assert.ts";
import { missing } from "./prerequisite.ts";
import { run } from "./scenario.ts";

const SHELLCHECK = "/usr/bin/shellcheck";

Deno.test({
  name: "install.sh is clean under shellcheck",
  ignore: missing(SHELLCHECK),
  fn: async () => {
    const script = decodeURIComponent(new URL("../../install.sh", import.meta.url).pathname);
    assertEquals(await run([SHELLCHECK, "--shell=sh", script], { LC_ALL: "C.UTF-8" }), {
      code: 0,
      stdout: "",
      stderr: "",
    });
  },
});
