/** The program libvirt runs as `/etc/libvirt/hooks/daemon`. */
import { runHook } from "../lib/app/run_hook.ts";
import { daemon } from "../lib/libvirt/drivers/daemon.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(daemon, denoSys()));
