import { denoKernel } from "../../lib/sys/deno_kernel.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("the real kernel's folders are listed with where links lead, also through a link", async () => {
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
