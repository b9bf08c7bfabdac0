/**
 * A guest of our own, emulated without the help of this machine's kernel: two CPUs, and a kernel that has every controller in
 * cgroup version 2. It runs one script and ends.
 * @module
 */
import { fetchKernel } from "../passthrough/kernel.ts";
import { writeGuestRoot } from "./guest_root.ts";

const GUEST_XML = new URL("../fixtures/qemu-prepare.xml", import.meta.url);
const GUEST_MS = 400_000;
const RULES = '[[rule]]\nname = "q"\nwhen = { domain = "*" }\ncpus = { isolate = "1" }\n';

/** Without systemd the script's shell is process 1. */
const SHELL_INIT = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs -o mode=0755 run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
exec >/dev/ttyS1 2>&1 </dev/null
sh /script
poweroff -f
`;

/** `hook OPERATION SUB-OPERATION`: calls the hook as libvirt does, and tells its exit status. */
const PRELUDE = `
hook() {
  status=0
  /usr/lib/qemu-hook vm1 $1 $2 - </guest.xml || status=$?
  echo "@@$\{3:-$1}"; echo $status; echo "@@end"
}
`;

/** Runs a script in a guest; gives what it printed between \`@@NAME\` and \`@@end\`. */
export async function runGuest(
  script: string,
  options: { readonly init: "systemd" | "shell" },
): Promise<(name: string) => string> {
  const kernel = await fetchKernel();
  const folder = Deno.makeTempDirSync({ prefix: "virt-hooks-guest." });
  try {
    await writeGuestRoot(`${folder}/initrd`, {
      "/script": `${PRELUDE}${script}\necho "@@done"; echo "@@end"\n`,
      "/guest.xml": Deno.readTextFileSync(GUEST_XML),
      "/etc/virt-hooks/rules.toml": RULES,
      ...(options.init === "shell" ? { "/init": SHELL_INIT } : {}),
    });
    await runQemu(folder, kernel.image);
    const results = Deno.readTextFileSync(`${folder}/results`).replaceAll("\r", "");
    if (!results.includes("@@done")) {
      throw new Error(`Cannot read what the guest printed: ${results}\n${Deno.readTextFileSync(`${folder}/console`)}`);
    }
    return (name) => new RegExp(`@@${name}\\n([^]*?)@@end`).exec(results)?.[1] ?? "";
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function runQemu(folder: string, image: string): Promise<void> {
  const machine = ["-M", "q35,kernel-irqchip=off", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2,maxcpus=4"];
  const { success, stderr } = await new Deno.Command("qemu-system-x86_64", {
    args: [
      ...[...machine, "-m", "1500M", "-nodefaults", "-display", "none", "-no-reboot"],
      ...["-kernel", image, "-initrd", `${folder}/initrd`, "-append", "console=ttyS0 panic=-1 quiet rdinit=/init"],
      ...["-serial", `file:${folder}/console`, "-serial", `file:${folder}/results`],
    ],
    stdin: "null",
    signal: AbortSignal.timeout(GUEST_MS),
  }).output();
  if (!success) throw new Error(`Cannot run the guest: ${new TextDecoder().decode(stderr)}`);
}
