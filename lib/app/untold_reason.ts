/**
 * A shut-off reason that a rule waits for and libvirt does not pass. Loaded only where a rule selects by reason and the call
 * has none.
 * @module
 */
import { REASON_SINCE } from "../libvirt/driver.ts";
import { versionText } from "../libvirt/version.ts";
import type { Sys } from "../sys/sys.ts";
import { installedLibvirt, libvirtOfProcess } from "./host_libvirt.ts";

/** What the history says of it. */
export async function untoldReasonNote(sys: Sys): Promise<string> {
  const running = await libvirtOfProcess(sys.ppid(), sys);
  const installed = running === undefined ? installedLibvirt(sys) : undefined;
  const version = installed?.kind === "known" ? installed.version : running;
  const name = version === undefined ? "libvirt (version unknown)" : `libvirt ${versionText(version)}`;
  return `shut-off reason not passed by ${name}: it is passed from ${REASON_SINCE} on, so rules with "reason" do not match`;
}
