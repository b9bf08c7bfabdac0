/** The admin command, `virt-hooks`. */
import { runCli } from "./lib/cli/run_cli.ts";
import { builtin } from "./lib/builtin.ts";
import { denoSys } from "./lib/sys/deno_sys.ts";
import { denoTerminal } from "./lib/sys/deno_terminal.ts";

Deno.exit(await runCli({ ...builtin, sys: denoSys() }, denoTerminal()));
