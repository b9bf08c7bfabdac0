import { denoKernel } from "../../lib/sys/deno_kernel.ts";
import { InterruptedError } from "../../lib/sys/kernel.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";

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

Deno.test("denoKernel() tells a look for which its caller had no time from one that hangs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const paths = Array.from({ length: 9 }, (_, index) => `${folder}/${index}`);
    await new Deno.Command("mkfifo", { args: paths }).output();
    const first = `Cannot read ${folder}/0`;
    const noTime = "no time was left for this call";
    await assertRejects(() => denoKernel().read(paths, 50), InterruptedError, `${first} and 8 more: ${noTime}`);
    await assertRejects(() => denoKernel().read(paths.slice(0, 1), 0), InterruptedError, `${first}: ${noTime}`);
    await assertRejects(() => denoKernel().list(folder, -1), InterruptedError, `Cannot list ${folder}: ${noTime}`);
    const hangs = await assertRejects(() => denoKernel(50).read(paths.slice(0, 1), 1000), Error, "did not end in time");
    assert(!(hangs instanceof InterruptedError), "a file that hangs is a fault");
    assertEquals((await denoKernel().list(folder, 5000))?.size, paths.length);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denoKernel() lists a folder with where its links lead, also through a link", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/devices/nic/net`, { recursive: true });
    await Deno.symlink("../../drivers/e1000", `${root}/devices/nic/driver`);
    await Deno.symlink("devices/nic", `${root}/nic`);
    const listed = await denoKernel().list(`${root}/nic`);
    assertEquals([...listed ?? []].sort(), [["driver", "../../drivers/e1000"], ["net", undefined]]);
    assertEquals(await denoKernel().list(`${root}/none`), undefined);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
