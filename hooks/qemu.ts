/** The program libvirt runs as `/etc/libvirt/hooks/qemu`. */
import { runHook } from "../lib/app/run_hook.ts";
import { builtin } from "../lib/builtin.ts";
import { qemu } from "../lib/libvirt/drivers/qemu.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(qemu, { ...builtin, sys: denoSys() }));
