/**
 * A text console on the firmware's framebuffer, on a host in memory: the last framebuffer takes along the terminal that draws on
 * it, and the first brings it.
 * @module
 */
import type { Nodes, Reactions } from "../../lib/sys/memory_kernel.ts";
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";

/** The terminal's folder. */
export const TERMINAL = "/sys/class/vtconsole/vtcon1";
const DRIVER = "/sys/bus/platform/drivers/efi-framebuffer";
const BOUND = `${DRIVER}/efi-framebuffer.0`;

const LINK = { kind: "symlink", text: "../../../../devices/platform/efi-framebuffer.0", uid: 0, mode: 0o777 } as const;

/** How the framebuffer reacts to its driver. */
export const FRAMEBUFFER_REACTIONS: Reactions = {
  [`${DRIVER}/unbind`]: (_name, nodes) => {
    nodes.delete(BOUND);
    for (const file of ["", "/name", "/bind"]) nodes.delete(`${TERMINAL}${file}`);
    return "";
  },
  [`${DRIVER}/bind`]: (_name, nodes) => {
    nodes.set(BOUND, LINK);
    showTerminal(nodes);
    return "";
  },
};

function showTerminal(nodes: Nodes): void {
  const file = { kind: "file", uid: 0, mode: 0o644 } as const;
  nodes.set(TERMINAL, { ...file, kind: "directory", text: "" });
  nodes.set(`${TERMINAL}/name`, { ...file, text: "(M) frame buffer device\n" });
  nodes.set(`${TERMINAL}/bind`, { ...file, text: "1\n" });
}

/** The terminal, the dummy that is always there, and with `firmware` a framebuffer that it shows on. */
export function consoleFiles(firmware: boolean): NonNullable<MemoryHost["files"]> {
  return {
    "/sys/class/vtconsole/vtcon0/name": "(S) dummy device\n",
    "/sys/class/vtconsole/vtcon0/bind": "1\n",
    [`${TERMINAL}/name`]: "(M) frame buffer device\n",
    [`${TERMINAL}/bind`]: "1\n",
    ...(firmware
      ? {
        [`${DRIVER}/bind`]: "",
        [`${DRIVER}/unbind`]: "",
        [BOUND]: LINK,
        "/sys/bus/platform/devices/efi-framebuffer.0": LINK,
      }
      : {}),
  };
}

/** Whether the terminal and the firmware's framebuffer are switched on; `undefined`: not there. */
export function consoleState(nodes: Nodes, firmware: boolean): readonly (boolean | undefined)[] {
  const text = nodes.get(`${TERMINAL}/bind`)?.text.trim();
  return [text === undefined ? undefined : text === "1", firmware ? nodes.has(BOUND) : undefined];
}
