/**
 * The programs that rules run: what they get, and what they may leave behind.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { scene } from "./scene.ts";
import { until } from "./until.ts";

scene("programs that rules run", async ({ nodeWith, step }) => {
  const node = await nodeWith("program", { hooks: ["qemu"] });
  await define(node, "qemu", qemuDomain("vm1"));

  await step("a program gets the document, its arguments, our environment and nothing else", async () => {
    const program = await node.writeProgram(
      "record",
      `#!/bin/sh
cat >/run/seen.xml
printf '%s\\n' "$@" >/run/seen.args
tr '\\0' '\\n' <"/proc/$$/environ" | sort >/run/seen.env
pwd >/run/seen.cwd
`,
    );
    await node.writeRules(`[[rule]]
name = "record it"
when = { on = "started", driver = "qemu", domain = "vm*" }
run = { argv = ["${program}", "\${domain} on \${host}", "$(id) ;"], input = "document" }
`);
    await node.mustVirsh(["start", "vm1"]);
    assertEquals(await node.sh(["cat", "/run/seen.args"]), "vm1 on program\n$(id) ;\n");
    assertEquals((await node.sh(["cat", "/run/seen.env"])).trimEnd().split("\n"), [
      "LC_ALL=C",
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "VIRT_HOOKS_DRIVER=qemu",
      "VIRT_HOOKS_EXTRA=-",
      "VIRT_HOOKS_OBJECT=vm1",
      "VIRT_HOOKS_OPERATION=started",
      "VIRT_HOOKS_RULE=record it",
      "VIRT_HOOKS_SUBOPERATION=begin",
    ]);
    const document = await node.sh(["cat", "/run/seen.xml"]);
    assert(document.startsWith("<domain type='qemu' id="), `the document begins ${document.slice(0, 40)}`);
    assert(document.endsWith("</domain>\n"), `the document ends ${document.slice(-40)}`);
    assertStringIncludes(document, "<name>vm1</name>");
    await node.mustVirsh(["destroy", "vm1"]);
  });
  await step("a daemonised grandchild holds nothing of libvirt's, and lives on", async () => {
    const program = await node.writeProgram("leave", "#!/bin/sh\nsetsid sleep 86400 &\necho $! >/run/left.pid\n");
    await node.writeRules(`[[rule]]
name = "leaves something"
when = { on = "prepare" }
run = { argv = ["${program}"], timeout = "20s" }
`);
    const started = await node.virsh(["start", "vm1"]);
    assertEquals(started.code, 0, started.stderr);
    assert(started.durationMs < 10_000, `the start took ${started.durationMs} ms`);
    await node.sh(["sh", "-c", "kill -0 $(cat /run/left.pid)"]);
    await node.mustVirsh(["destroy", "vm1"]);
    await node.sh(["sh", "-c", "kill $(cat /run/left.pid)"]);
  });
  await step(
    "libvirtd killed during a hook: the hook ends, and libvirtd comes back to a guest that starts",
    async () => {
      const program = await node.writeProgram(
        "wait",
        "#!/bin/sh\necho $$ >/run/waiting.pid\nuntil [ -e /run/go ]; do sleep 0.05; done\n",
      );
      await node.writeRules(`[[rule]]
name = "waits"
when = { on = "prepare" }
run = { argv = ["${program}"], timeout = "30s" }
`);
      const before = (await node.history()).length;
      const start = node.virsh(["start", "vm1"]);
      const pid = await until("the program that waits", async () => {
        return (await node.run(["cat", "/run/waiting.pid"])).stdout.trim() || undefined;
      });
      await node.killLibvirtd();
      assert((await start).code !== 0, "virsh did not notice that libvirtd was gone");
      await Deno.writeTextFile(node.path("/run/go"), "");
      await until("the orphaned program's end", async () => (await node.run(["kill", "-0", pid])).code !== 0);
      const orphan = await until("the orphaned hook's line", async () => (await node.history())[before]);
      assertEquals(orphan.operation, "prepare");
      await node.startLibvirtd();
      assertEquals((await node.mustVirsh(["domstate", "vm1"])).trim(), "shut off");
      await node.mustVirsh(["start", "vm1"]);
      await node.mustVirsh(["destroy", "vm1"]);
    },
  );
});
