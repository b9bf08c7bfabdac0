/**
 * The actions there are, by the key that names them in a rule. One more action is one more row.
 * @module
 */
import { denySchema } from "./deny.ts";
import { editSchema } from "./edit.ts";
import { pciSchema } from "./pci.ts";
import { hugepagesSchema } from "./hugepages.ts";
import { modulesSchema } from "./modules.ts";
import { runSchema } from "./run.ts";
import { sysctlSchema } from "./sysctl.ts";

/** The schema of each action, made when rules are read. */
export const actionSchemas = {
  deny: denySchema,
  edit: editSchema,
  pci: pciSchema,
  run: runSchema,
  hugepages: hugepagesSchema,
  modules: modulesSchema,
  sysctl: sysctlSchema,
} as const;
