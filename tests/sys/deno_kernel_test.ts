import { denoKernel } from "../../lib/sys/deno_kernel.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

const HOSTNAME = "/proc/sys/kernel/hostname";

Deno.test("denoKernel() reads what is there, and leaves out what is not", async () => {
  const files = await denoKernel().read([HOSTNAME, "/proc/none", "/proc/sys/kernel/ostype"]);
  assertEquals([...files.keys()], [HOSTNAME, "/proc/sys/kernel/ostype"]);
  assertEquals(files.get("/proc/sys/kernel/ostype"), "Linux\n");
});

Deno.test("denoKernel() does not take a reading that was cut short for files that are not there", async () => {
  const folder = await Deno.makeTempDir();
  const fifo = `${folder}/fifo`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  await assertRejects(() => denoKernel(50).read([fifo, HOSTNAME]), Error, "did not end in time");
  await Deno.remove(folder, { recursive: true });
});
