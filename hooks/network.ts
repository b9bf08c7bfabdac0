/** The program libvirt runs as `/etc/libvirt/hooks/network`. */
import { runHook } from "../lib/app/run_hook.ts";
import { builtin } from "../lib/builtin.ts";
import { network } from "../lib/libvirt/drivers/network.ts";
import { denoSys } from "../lib/sys/deno_sys.ts";

Deno.exit(await runHook(network, { ...builtin, sys: denoSys() }));
