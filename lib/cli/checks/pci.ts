/**
 * What giving PCI devices to guests takes of the host, whichever guest it is.
 * @module
 */
import { makeCall } from "../../libvirt/call.ts";
import { parseLibvirtDocument } from "../../libvirt/parse.ts";
import type { Action } from "../../actions/action.ts";
import type { HookPoint } from "../../config/rule_context.ts";
import { isVfio, PCI_PATHS } from "../../resources/pci/device.ts";
import type { Rule, RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import type { Finding } from "./finding.ts";

const IOMMU_GROUPS = "/sys/kernel/iommu_groups";

/** A guest with one device, to see which driver a rule wants for it. */
const SAMPLE = `<domain><uuid>00000000-0000-0000-0000-000000000000</uuid><devices>
<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0' slot='0' function='0'/></source>
</hostdev></devices></domain>`;

/** Whether devices can be given to guests with the driver that the rule wants. */
export async function pciFindings(
  action: Action,
  rule: Rule,
  { place, ruleSet, sys }: { readonly place: HookPoint; readonly ruleSet: RuleSet; readonly sys: Sys },
): Promise<readonly Finding[]> {
  const intents = action.plan(rule, sampleCall(place, sys));
  const drivers = new Set(
    intents.flatMap((intent) =>
      intent.kind === "hold" && intent.resource === "pci" && !intent.demand.managed ? [intent.demand.driver] : []
    ),
  );
  const findings: Finding[] = [];
  for (const driver of drivers) {
    if (isVfio(driver)) findings.push(await iommuFinding(sys));
    findings.push(await driverFinding(driver, { place, ruleSet, sys }));
  }
  return findings;
}

function sampleCall({ driver, operation, facts }: HookPoint, sys: Sys): ReturnType<typeof makeCall> {
  const { subOperation } = facts;
  const invocation = { driver, object: "GUEST", operation, subOperation, extra: "-", facts };
  const document = new TextEncoder().encode(SAMPLE);
  return makeCall(invocation, facts, { host: sys.hostname(), document, parse: parseLibvirtDocument });
}

async function iommuFinding({ kernel }: Sys): Promise<Finding> {
  const groups = await kernel.list(IOMMU_GROUPS);
  if (groups !== undefined && groups.size > 0) {
    return { level: "ok", text: `pci: the host has ${groups.size} IOMMU groups` };
  }
  return {
    level: "fail",
    text: "pci: the host has no IOMMU groups, so no PCI device can be given to a guest",
    advice: "switch the IOMMU on in the firmware, and boot with intel_iommu=on or amd_iommu=on",
  };
}

async function driverFinding(
  driver: string,
  { place, ruleSet, sys }: { readonly place: HookPoint; readonly ruleSet: RuleSet; readonly sys: Sys },
): Promise<Finding> {
  if (await sys.kernel.list(PCI_PATHS.driver(driver)) !== undefined) {
    return { level: "ok", text: `pci: the driver ${driver} is loaded` };
  }
  if (loadedModules(ruleSet, place, sys).has(driver.replaceAll("-", "_"))) {
    return { level: "skip", text: `pci: whether the driver ${driver} is there once a rule has loaded it` };
  }
  return {
    level: "warn",
    text: `pci: the driver ${driver} is not loaded, and no rule loads it: only devices with managed='yes' can be held`,
    advice: `let the rule load it: modules = { load = ["${driver}"] }`,
  };
}

/** The modules that rules load. */
function loadedModules({ rules }: RuleSet, place: HookPoint, sys: Sys): ReadonlySet<string> {
  const call = sampleCall(place, sys);
  return new Set(
    rules.flatMap((rule) =>
      rule.actions.filter(({ kind }) => kind === "modules").flatMap((action) => action.plan(rule, call))
    ).flatMap((intent) =>
      intent.kind === "hold" && intent.resource === "module" && intent.demand.state === "loaded"
        ? [intent.demand.name.replaceAll("-", "_")]
        : []
    ),
  );
}
