/** The program libvirt runs as `/etc/libvirt/hooks/daemon`. */
import { runHook } from "../lib/app/run_hook.ts";
import { builtin } from "../lib/builtin.ts";
import { daemon } from "../lib/libvirt/drivers/daemon.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(daemon, { ...builtin, sys: denoSys() }));
