import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { scenario } from "./scenario.ts";
import { listTree } from "./tree.ts";

const MISUSES = [
  { args: ["--uninstal"], words: "the nearest is --uninstall" },
  { args: ["--hook-dir", "/x"], words: "the nearest is --hooks-dir" },
  {
    args: ["--frobnicate"],
    words:
      "the options are --drivers --prefix --hooks-dir --no-firewall-unit --firewall-unit --uninstall --status --dry-run --help",
  },
  { args: ["qemu"], words: 'Cannot understand "qemu"' },
  { args: [""], words: 'Cannot understand ""' },
  { args: ["--drivers"], words: "its value is missing" },
  { args: ["--drivers="], words: "its value is missing" },
  { args: ["--drivers", "qemu,vbox"], words: 'the driver "vbox": the drivers are daemon qemu lxc libxl network' },
  { args: ["--drivers", "qemu,,lxc"], words: "wanted a list like qemu,lxc" },
  { args: ["--drivers", "../../etc"], words: "wanted a list like qemu,lxc" },
  { args: ["--prefix", "usr"], words: 'Cannot use --prefix "usr": it must begin with /' },
  { args: ["--hooks-dir", "//"], words: "it is the root" },
  { args: ["--prefix", "/a\n/b"], words: "a path with a line break" },
  { args: ["--status", "--uninstall"], words: "--status was asked for too" },
];

scenario("refuses every misuse with exit 2 and says what is right", async ({ destdir, install }) => {
  for (const { args, words } of MISUSES) {
    const ran = await install(args);
    assertStringIncludes(ran.stderr, words);
    assertEquals({ args, code: ran.code, stdout: ran.stdout }, { args, code: 2, stdout: "" });
  }
  assertEquals(await listTree(destdir), "");
});

scenario("explains itself", async ({ install }) => {
  const ran = await install(["--help"]);
  assertEquals(ran.code, 0);
  for (const option of ["--drivers", "--prefix", "--hooks-dir", "--uninstall", "--status", "--dry-run", "DESTDIR"]) {
    assertStringIncludes(ran.stdout, option);
  }
});
