/**
 * Whether programs really are kept off isolated CPUs, and really let back: in a guest of our own, whose kernel has cpuset in
 * cgroup version 2 alone, under this machine's systemd. The neighbour is a slice that uses the controller as guests do.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { fetchKernel } from "../tcg/kernel.ts";
import { writeGuestRoot } from "./guest_root.ts";
import { missingForGuest } from "./prerequisites.ts";
import { register } from "./register.ts";

const GUEST_XML = new URL("../captures/qemu-prepare.xml", import.meta.url);
const GUEST_MS = 400_000;

const SCRIPT = `
state() {
  echo "@@$1"
  for group in system.slice user.slice init.scope machine.slice; do
    echo "$group $(cat /sys/fs/cgroup/$group/cpuset.cpus.effective 2>/dev/null)"
  done
  echo "process 1 $(grep Cpus_allowed_list /proc/1/status | cut -f2)"
  echo "said $(systemctl show -p AllowedCPUs --value system.slice user.slice init.scope | tr -d '\\n')"
  echo "@@end"
}
systemctl start user.slice machine.slice
systemctl set-property --runtime machine.slice AllowedCPUs=0-1
state before
/usr/lib/qemu-hook vm1 prepare begin - </guest.xml; echo "@@prepare"; echo $?; echo "@@end"
state during
/usr/lib/qemu-hook vm1 release end - </guest.xml; echo "@@release"; echo $?; echo "@@end"
state after
echo "@@done"; echo "@@end"
`;

async function play(t: Deno.TestContext): Promise<void> {
  const results = await guestResults();
  const at = (name: string): string => new RegExp(`@@${name}\\n([^]*?)@@end`).exec(results)?.[1] ?? "";
  assertStringIncludes(results, "@@done", results);
  await t.step("the host's slices, and process 1, run on what is left while a guest lives", () => {
    assertEquals(at("prepare"), "0\n");
    assertEquals(at("during"), told({ own: "0", machine: "0-1", said: "000" }));
  });
  await t.step("afterwards they run on all CPUs again, and nothing is said", () => {
    assertEquals(at("release"), "0\n");
    assertEquals(at("after"), told({ own: "0-1", machine: "0-1", said: "" }));
    assertEquals(at("after"), at("before"));
  });
}

function told({ own, machine, said }: Readonly<Record<"own" | "machine" | "said", string>>): string {
  const groups = ["system.slice", "user.slice", "init.scope"].map((group) => `${group} ${own}`);
  return [...groups, `machine.slice ${machine}`, `process 1 ${own}`, `said ${said}`, ""].join("\n");
}

async function guestResults(): Promise<string> {
  const kernel = await fetchKernel();
  const folder = Deno.makeTempDirSync({ prefix: "virt-hooks-cpuset." });
  try {
    await writeGuestRoot(`${folder}/initrd`, {
      "/script": SCRIPT,
      "/guest.xml": Deno.readTextFileSync(GUEST_XML),
      "/etc/virt-hooks/rules.toml": '[[rule]]\nname = "q"\nwhen = { domain = "*" }\ncpus = { isolate = "1" }\n',
    });
    const machine = [
      "-M",
      "q35,kernel-irqchip=off",
      "-accel",
      "tcg,thread=multi",
      "-cpu",
      "max",
      "-smp",
      "2,maxcpus=4",
    ];
    const { success, stderr } = await new Deno.Command("qemu-system-x86_64", {
      args: [
        ...[...machine, "-m", "1500M", "-nodefaults", "-display", "none", "-no-reboot"],
        ...["-kernel", kernel.image, "-initrd", `${folder}/initrd`, "-append", "console=ttyS0 panic=-1 quiet"],
        ...["-serial", `file:${folder}/console`, "-serial", `file:${folder}/results`],
      ],
      stdin: "null",
      signal: AbortSignal.timeout(GUEST_MS),
    }).output();
    if (!success) throw new Error(`Cannot run the guest: ${new TextDecoder().decode(stderr)}`);
    return Deno.readTextFileSync(`${folder}/results`).replaceAll("\r", "");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

register("CPUs are isolated under systemd with cgroup version 2", missingForGuest(), play);
