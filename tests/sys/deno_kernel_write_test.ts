import { denoKernel } from "../../lib/sys/deno_kernel.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("an empty write opens a file and leaves it as it is; one that is not there is refused", async () => {
  const folder = await Deno.makeTempDir({ prefix: "virt-hooks-kernel." });
  try {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "60\n");
    assertEquals(await denoKernel().write(path, "", 5000), { kind: "written" });
    assertEquals(await Deno.readTextFile(path), "60\n");
    const missing = await denoKernel().write(`${folder}/missing`, "", 5000);
    assertEquals(missing, { kind: "refused", reason: "No such file or directory" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
