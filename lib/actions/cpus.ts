/**
 * `cpus = { isolate = true, governor = "performance" }`: CPUs that a guest has for itself during its lifetime.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { pinnedHostCpus } from "../libvirt/vcpus.ts";
import { nameCpus, parseCpuSet } from "../config/cpu_list.ts";
import type { OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import { type DemandSpec, type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { tableSchema } from "../config/table_schema.ts";

const SET = 'true, or a set of CPUs such as "2-5,8"';
const GOVERNOR = 'the name of a governor, such as "performance"';

interface CpusConfig {
  readonly isolate?: true | readonly number[] | undefined;
  readonly governor?: string | undefined;
  readonly on_error?: OnError | undefined;
}

/** Schema of `cpus`. */
export function cpusSchema(): v.GenericSchema<unknown, Action> {
  const set = v.pipe(
    v.string(SET),
    v.check((text) => parseCpuSet(text) !== undefined, SET),
    v.transform((text) => parseCpuSet(text) ?? []),
  );
  return v.pipe(
    tableSchema({
      isolate: v.optional(v.union([v.literal(true, SET), set], SET)),
      governor: v.optional(v.pipe(v.string(GOVERNOR), v.regex(/^[a-z][a-z_]*$/, GOVERNOR))),
      on_error: onErrorEntry(),
    }, 'a table such as { isolate = true, governor = "performance" }'),
    v.check(({ isolate, governor }) => isolate !== undefined || governor !== undefined, "isolate, governor or both"),
    v.transform(cpus),
  );
}

function cpus(config: CpusConfig): Action {
  return holdAction({
    kind: "cpus",
    lasts: "domain",
    whiles: ["guest"],
    usesDocument: !isNamed(config.isolate),
    onError: config.on_error,
    parts: (_rule, call) => parts(config, call),
  });
}

function isNamed(isolate: CpusConfig["isolate"]): isolate is readonly number[] {
  return isolate !== undefined && isolate !== true;
}

function parts({ isolate, governor }: CpusConfig, call: HookCall): DemandSpecs {
  const set = isNamed(isolate) ? isolate : pinnedHostCpus(call.xml().root);
  if (set.length === 0) {
    return {
      problem:
        'the guest pins no virtual CPU and no I/O thread, so the CPUs to isolate are unknown: pin them (<vcpupin> in <cputune>), or name them (isolate = "2-5")',
    };
  }
  const isolated: readonly DemandSpec[] = isolate === undefined ? [] : [{
    resource: "cpus",
    demand: { cpus: set },
    text: `${nameCpus(set)} kept free of the host's own programs`,
  }];
  if (governor === undefined) return isolated;
  return [
    ...isolated,
    ...set.map((cpu): DemandSpec => ({
      resource: "governor",
      demand: { cpu, governor },
      text: `governor ${governor} on CPU ${cpu}`,
    })),
  ];
}
