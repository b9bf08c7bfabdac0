/**
 * A module whose device programs have open is unloaded behind them: first services and consoles, then programs, then the module,
 * then the device.
 * @module
 */
import type { Opener } from "../../lib/sys/kernel.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { BOTH, HOME, pciStage, type Stage } from "../support/pci_stage.ts";

interface Play {
  readonly stage: Stage;
  /** What was done to programs and modules, in order. */
  readonly order: string[];
}

function stageOf(holders: string, timeout = ', timeout = "4s"'): Play {
  const order: string[] = [];
  const openers: Opener[] = [{ pid: 4711, name: "obsidian", path: "/dev/dri/card0" }];
  const stage = pciStage(`devices = "hostdev", holders = "${holders}"${timeout}`, {
    openers,
    drivers: ["vfio-pci", "nvidia"],
    actions: 'modules = { unload = ["nvidia_drm"] }\n',
    files: {
      "/proc/modules": "nvidia_drm 77824 1 - Live 0x0\n",
      "/sys/module/nvidia_drm/initstate": "live\n",
      "/sys/module/nvidia_drm/refcnt": "1\n",
    },
    programs: {
      [TOOLS.modprobe]: ({ argv }) => {
        if (!argv.includes("--remove")) return {};
        if (stage.openers.length > 0) {
          order.push("in use");
          return { stderr: "modprobe: FATAL: Module nvidia_drm is in use.\n", end: { kind: "exited", code: 1 } };
        }
        order.push(`unloaded behind ${stage.signals.join(", ")}, device ${stage.now()[0]}`);
        stage.on.nodes.delete("/sys/module/nvidia_drm/initstate");
        stage.on.nodes.delete("/sys/module/nvidia_drm/refcnt");
        stage.on.nodes.delete("/sys/module/nvidia_drm");
        return {};
      },
    },
  });
  return { stage, order };
}

Deno.test("programs that have a device open end before the module of its driver is unloaded", async () => {
  const { stage, order } = stageOf("stop");
  const { code, stderr } = await stage.on.call("qemu", "prepare", BOTH);
  assertEquals([code, stderr, order], [0, "", [`unloaded behind -TERM 4711, device ${HOME[0]}`]]);
});

Deno.test("with holders = wait, what still uses the device is named, and the module is not touched", async () => {
  const { stage, order } = stageOf("wait");
  const { code, stderr } = await stage.on.call("qemu", "prepare", BOTH);
  assertEquals([code, order, stage.now()], [4, [], [...HOME]]);
  assertStringIncludes(stderr, "obsidian (4711) has /dev/dri/card0 open");
});
