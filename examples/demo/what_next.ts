/**
 * How the demo ends: what to type on a real hypervisor.
 * @module
 */
import type { BuiltTarget } from "../../build/build.ts";
import type { Screen } from "./screen.ts";
import { showAct } from "./show.ts";

const COMMANDS = [
  ["./install.sh --dry-run", "every step it would take"],
  ["./install.sh", "for the libvirt drivers that are there"],
  ["cp examples/maintenance.toml /etc/virt-hooks/rules.d/", "rules to begin with"],
  ["virt-hooks check", "are there mistakes in them?"],
  ["virt-hooks explain qemu GUEST prepare", "what would happen, and why"],
  ["virt-hooks history --follow", "what happens"],
  ["virt-hooks status", "what guests hold of the host"],
  ["./install.sh --uninstall", "and all is as it was"],
] as const;

/** Tells what to do next; `root` is the checkout. */
export function tellWhatNext({ folder }: BuiltTarget, root: string, screen: Screen): void {
  showAct({ title: "On a hypervisor of yours", about: "Copy this folder to it, and there:" }, screen);
  screen.print();
  for (const [command, about] of COMMANDS) screen.print(`    ${screen.paint("cyan", command.padEnd(55))}${about}`);
  screen.print();
  screen.print(`  the folder   ${folder}`);
  screen.print(`  to read on   ${root}/README.md and docs/`);
}
