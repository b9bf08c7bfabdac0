/** The program libvirt runs as `/etc/libvirt/hooks/lxc`. */
import { runHook } from "../lib/app/run_hook.ts";
import { builtin } from "../lib/builtin.ts";
import { lxc } from "../lib/libvirt/drivers/lxc.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(lxc, { ...builtin, sys: denoSys() }));
