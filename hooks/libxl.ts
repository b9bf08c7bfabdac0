/** The program libvirt runs as `/etc/libvirt/hooks/libxl`. */
import { runHook } from "../lib/app/run_hook.ts";
import { builtin } from "../lib/builtin.ts";
import { libxl } from "../lib/libvirt/drivers/libxl.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(libxl, { ...builtin, sys: denoSys() }));
