import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { leaveOut, missing } from "./prerequisite.ts";
import { hasNoNamespaces, makePrivateHost, runInside, START_LIBVIRTD } from "./private_host.ts";
import { inFreshFolder, type Ran, writeScript } from "./scenario.ts";
import { listTree } from "./tree.ts";

const IGNORE = missing("/usr/bin/busybox") || await hasNoNamespaces();

function onPrivateHost(name: string, play: (root: string) => Promise<void>): void {
  Deno.test({
    name: `install.sh on a host of its own ${name}`,
    ignore: IGNORE,
    fn: () => onHost(play),
  });
}

function onHost(play: (root: string) => Promise<void>): Promise<void> {
  return inFreshFolder(async (folder) => {
    const root = `${folder}/host`;
    await makePrivateHost(root);
    await play(root);
  });
}

/** Expects success, and gives what was printed. */
function printed(ran: Ran): string {
  assertEquals(ran.stderr, "");
  assertEquals(ran.code, 0);
  return ran.stdout;
}

onPrivateHost("installs with busybox alone and uninstalls to exactly what was there", async (root) => {
  const before = await listTree(root);
  const text = printed(await runInside(root, "sh install.sh"));
  assertStringIncludes(text, "Installed: virt-hooks 1.0.0 for daemon qemu\n");
  assertStringIncludes(text, "No libvirt daemon that runs these hooks is up: it finds them when it starts");
  assertEquals(Deno.statSync(`${root}/etc/libvirt/hooks/qemu`).mode, 0o100755);
  printed(await runInside(root, "sh /usr/local/lib/virt-hooks/install.sh --uninstall"));
  assertEquals(await listTree(root), before);
});

onPrivateHost("says how to reload, until libvirt was restarted", async (root) => {
  const text = printed(
    await runInside(
      root,
      `${START_LIBVIRTD}
    echo "== install"; sh install.sh; echo "== again"; sh install.sh; echo "== status"; sh install.sh --status
    kill $daemon; ${START_LIBVIRTD}
    echo "== restarted $daemon"; sh install.sh --status; echo "== last"; sh install.sh`,
    ),
  );
  const [, first = "", again = "", status = "", restarted = "", last = ""] = text.split("== ");
  const advice = /(Run this now|If it has not since the hooks came, run):\n {2}kill -HUP \d+\n/;
  assert(advice.test(first), first);
  assert(advice.test(again), again);
  assertStringIncludes(again, "already installed");
  assert(!status.includes("noticed by"), status);
  assertStringIncludes(status, "perhaps unnoticed: libvirt was running before the hook came");
  assert(/^restarted (\d+)\n[^]*noticed by libvirtd \(process \1\)/.test(restarted), restarted);
  assert(!last.includes("-HUP"), last);
});

onPrivateHost("names the unit where systemd runs the daemon", async (root) => {
  await Deno.writeTextFile(`${root}/tmp/cgroup`, "0::/system.slice/libvirtd.service\n");
  const text = printed(
    await runInside(root, `${START_LIBVIRTD} mount --bind /tmp/cgroup /proc/$daemon/cgroup; sh install.sh`),
  );
  assertStringIncludes(text, "Run this now:\n  systemctl reload libvirtd\n");
});

for (
  const { name, folder, isTold } of [
    { name: "says how systemd reads changed units, where it runs", folder: "/run/systemd/system", isTold: true },
    { name: "says nothing of systemd where only its folders are", folder: "/run", isTold: false },
  ]
) {
  onPrivateHost(name, async (root) => {
    await Deno.mkdir(`${root}/etc/systemd/system`, { recursive: true });
    await Deno.mkdir(`${root}${folder}`, { recursive: true });
    await Deno.mkdir(`${root}/etc/virt-hooks/rules.d`, { recursive: true });
    await Deno.writeTextFile(`${root}/etc/virt-hooks/rules.d/web.toml`, "forward = { host_port = 80 }\n");
    const installed = printed(await runInside(root, "sh install.sh"));
    const removed = printed(await runInside(root, "sh /usr/local/lib/virt-hooks/install.sh --uninstall"));
    for (const text of [installed, removed]) assertEquals(/^ {2}systemctl daemon-reload/m.test(text), isTold, text);
  });
}

onPrivateHost("needs no reload where libvirt has a hook already", async (root) => {
  await writeScript(`${root}/etc/libvirt/hooks/qemu`, "exit 0");
  await writeScript(`${root}/etc/libvirt/hooks/daemon.d/10-theirs`, "exit 0");
  const { code, stdout, stderr } = await runInside(root, `${START_LIBVIRTD} sh install.sh`);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "put     /etc/libvirt/hooks/qemu.d/50-virt-hooks\n");
  assert(!/HUP|reload/.test(stdout), stdout);
});

onPrivateHost("looks only at daemons that look into these hooks", async (root) => {
  const text = printed(
    await runInside(root, `${START_LIBVIRTD} mkdir /dest; DESTDIR=/dest sh install.sh --drivers qemu`),
  );
  assert(!/HUP|reload/.test(text), text);
});

const MOUNTS = [
  {
    name: "a read-only hooks folder",
    mount: "mount --bind /etc/libvirt /etc/libvirt; mount -o remount,bind,ro /etc/libvirt",
    words: "Read-only file system",
  },
  {
    name: "a hooks folder that is a mount of its own",
    mount: "mount --bind /etc/libvirt/hooks /etc/libvirt/hooks",
    words: "if that folder is a mount of its own",
  },
  {
    name: "a noexec mount",
    mount: "mount -t tmpfs -o noexec none /etc/libvirt; mkdir /etc/libvirt/hooks",
    words: "a noexec mount under /etc/libvirt",
  },
];

for (const { name, mount, words } of MOUNTS) {
  onPrivateHost(`refuses ${name}, and changes nothing`, async (root) => {
    const before = await listTree(root);
    const ran = await runInside(root, `${mount}; sh install.sh`);
    assertStringIncludes(ran.stderr, words);
    assertEquals(ran.code, 1);
    assertEquals(await listTree(root), before);
  });
}

onPrivateHost("labels files for SELinux before and after the rename", async (root) => {
  for (const tool of ["selinuxenabled", "chcon", "restorecon"]) {
    await writeScript(`${root}/bin/${tool}`, `echo "${tool} $*" >>/tmp/labels`);
  }
  await writeScript(`${root}/bin/matchpathcon`, `echo "label-of-$2"`);
  printed(await runInside(root, "sh install.sh --drivers qemu"));
  const labels = (await Deno.readTextFile(`${root}/tmp/labels`)).split("\n");
  const staged = labels.indexOf("chcon label-of-/etc/libvirt/hooks/qemu /etc/libvirt/.virt-hooks-stage/qemu");
  const placed = labels.indexOf("restorecon /etc/libvirt/hooks/qemu");
  assert(staged >= 0 && placed > staged, labels.join("\n"));
});

Deno.test({
  name: "install.sh refuses to work on the host for an ordinary user",
  fn: async () => {
    const script = await Deno.readTextFile(new URL("../../install.sh", import.meta.url));
    const ordinary = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
    for (const mode of [["--drivers", "qemu"], ["--uninstall"]]) {
      const command = new Deno.Command("/bin/sh", {
        args: ["-c", script, "/tmp/install.sh", ...mode],
        cwd: "/",
        stdin: "null",
        ...ordinary,
      });
      const { code, stderr } = await command.output();
      assertStringIncludes(new TextDecoder().decode(stderr), "only root may");
      assertEquals(code, 1);
    }
  },
});

const OPEN_FOLDERS = [
  {
    name: "that a user owns",
    spoil: "chown 1000 /etc/libvirt/hooks",
    words: "/etc/libvirt/hooks belongs to the user 1000",
  },
  { name: "that all may write", spoil: "chmod 1777 /etc/libvirt/hooks", words: "/etc/libvirt/hooks has the mode 1777" },
  {
    name: "whose drop-ins a group may write",
    spoil: "mkdir -m 0775 /etc/libvirt/hooks/qemu.d",
    words: "/etc/libvirt/hooks/qemu.d has the mode 775",
  },
  { name: "below a user's", spoil: "chown 1000 /etc/libvirt", words: "/etc/libvirt belongs to the user 1000" },
];

// Another user's number exists in a namespace only where root made it.
const NOT_ROOT = Deno.uid() !== 0;
if (NOT_ROOT) leaveOut("a folder of another user's needs root");

for (const { name, spoil, words } of OPEN_FOLDERS) {
  Deno.test({
    name: `install.sh on a host of its own refuses a hooks folder ${name}`,
    ignore: IGNORE || NOT_ROOT,
    fn: () =>
      onHost(async (root) => {
        const ran = await runInside(root, `${spoil}; sh install.sh`);
        assertEquals(ran.code, 1);
        assertStringIncludes(ran.stderr, words);
        assertEquals(await listNames(`${root}/var/lib`), []);
      }),
  });
}

Deno.test({
  name: "install.sh on a host of its own warns of an archive and of a prefix that a user can change",
  ignore: IGNORE || NOT_ROOT,
  fn: () =>
    onHost(async (root) => {
      const ran = await runInside(root, "chown 1000 hooks/.. /usr/local; chmod 775 /usr/local/sbin; sh install.sh");
      assertEquals(ran.code, 0, ran.stderr);
      assertStringIncludes(
        ran.stderr,
        "users other than root can change this archive (/root/archive belongs to the user 1000)",
      );
      assertStringIncludes(ran.stderr, "can replace /usr/local/sbin/virt-hooks: /usr/local/sbin has the mode 775");
    }),
});

async function listNames(folder: string): Promise<readonly string[]> {
  return await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
}
