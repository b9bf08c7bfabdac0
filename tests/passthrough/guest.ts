/**
 * A guest of our own, emulated without the help of this machine's kernel: with an IOMMU, devices to hand over, and a kernel
 * that reacts as a real one does. It plays a list of steps and ends.
 * @module
 */
import { fetchKernel } from "./kernel.ts";
import { type GuestFiles, writeInitramfs } from "./initramfs.ts";

/** One thing done inside; what it prints is the proof. */
export interface Play {
  readonly name: string;
  /** A shell script. */
  readonly script: string;
}

/** What a step printed, and its exit status. */
export interface Played {
  readonly output: string;
  readonly status: number;
}

/** How the guest's run went. */
export interface GuestRun {
  readonly played: ReadonlyMap<string, Played>;
  /** What its kernel said last. */
  readonly console: string;
  readonly seconds: number;
}

/** What is in the guest. */
export interface GuestOptions {
  readonly hooks: readonly string[];
  readonly files: GuestFiles;
  /** Sourced before each step. */
  readonly prelude: string;
  readonly timeoutMs: number;
}

/** A NIC alone, two NICs that share an IOMMU group, a disk, and a display that the firmware and a text console show on. */
const DEVICES = [
  ...["-device", "intel-iommu", "-vga", "std", "-nic", "none"],
  ...["-device", "e1000,addr=03.0", "-device", "e1000,addr=05.0,multifunction=on", "-device", "e1000,addr=05.1"],
];

/** Plays steps in a guest. */
export async function playInGuest(plays: readonly Play[], options: GuestOptions): Promise<GuestRun> {
  const kernel = await fetchKernel();
  const folder = Deno.makeTempDirSync({ prefix: "virt-hooks-tcg." });
  try {
    const initrd = `${folder}/initrd`;
    const files: GuestFiles = { ...options.files, ...scripts(plays, options.prelude) };
    await writeInitramfs(initrd, { kernel, hooks: options.hooks, files });
    const disk = `${folder}/disk`;
    Deno.writeFileSync(disk, new Uint8Array());
    Deno.truncateSync(disk, 64 * 1024 * 1024);
    const [consoleLog, results] = [`${folder}/console`, `${folder}/results`];
    const startedMs = performance.now();
    await runQemu([
      ...["-M", "q35,kernel-irqchip=off", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2G", "-smp", "2"],
      ...["-nodefaults", "-display", "none", "-no-reboot", ...DEVICES],
      ...["-drive", `file=${disk},format=raw,if=none,id=disk`, "-device", "nvme,drive=disk,serial=1,addr=06.0"],
      ...["-kernel", kernel.image, "-initrd", initrd],
      ...["-append", "console=ttyS0 intel_iommu=on panic=-1 quiet mitigations=off norandmaps vga=0x311 rdinit=/init"],
      ...["-serial", `file:${consoleLog}`, "-serial", `file:${results}`],
    ], options.timeoutMs);
    return {
      played: readResults(Deno.readTextFileSync(results)),
      console: Deno.readTextFileSync(consoleLog).split("\n").slice(-40).join("\n"),
      seconds: (performance.now() - startedMs) / 1000,
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function runQemu(args: readonly string[], timeoutMs: number): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { success, stderr } = await new Deno.Command("qemu-system-x86_64", { args: [...args], stdin: "null", signal })
    .output();
  if (!success && !signal.aborted) throw new Error(`Cannot run the guest: ${new TextDecoder().decode(stderr).trim()}`);
}

const MARK = "@@virt-hooks";

function scripts(plays: readonly Play[], prelude: string): GuestFiles {
  const steps = plays.map(({ script }, index) => [
    `/steps/${index}`,
    { text: `. /steps/prelude\n${script}\n`, mode: 0o644 },
  ]);
  const lines = plays.map(({ name }, index) =>
    `printf '${MARK} begin ${name.replaceAll("'", "")}\\n'; sh /steps/${index} 2>&1; printf '${MARK} end %s\\n' $?`
  );
  return {
    ...Object.fromEntries(steps),
    "/steps/prelude": { text: prelude, mode: 0o644 },
    "/init": { text: `${INIT}${lines.join("\n")}\npoweroff -f\n`, mode: 0o755 },
  };
}

/** Results go over a serial line of their own, so that the kernel's messages never stand between them. */
const INIT = `#!/bin/sh
export PATH=/bin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
chmod 755 /; mkdir -p /sys/fs/cgroup; mount -t cgroup2 cgroup /sys/fs/cgroup
stty -F /dev/ttyS1 raw -echo
exec >/dev/ttyS1 </dev/null
`;

function readResults(text: string): ReadonlyMap<string, Played> {
  const played = new Map<string, Played>();
  const pattern = new RegExp(`${MARK} begin (.*)\\n([^]*?)${MARK} end (\\d+)`, "g");
  for (const [, name = "", output = "", status] of text.replaceAll("\r", "").matchAll(pattern)) {
    played.set(name, { output, status: Number(status) });
  }
  return played;
}
