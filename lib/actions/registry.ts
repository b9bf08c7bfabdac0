/**
 * The actions, by their key in a rule. To add an action, add a row.
 * @module
 */
import { addressesSchema } from "./addresses.ts";
import { cpusSchema } from "./cpus.ts";
import { denySchema } from "./deny.ts";
import { dnsSchema } from "./dns.ts";
import { editSchema } from "./edit.ts";
import { forwardSchema } from "./forward.ts";
import { openSchema } from "./open.ts";
import { hugepagesSchema } from "./hugepages.ts";
import { modulesSchema } from "./modules.ts";
import { pciSchema } from "./pci.ts";
import { processSchema } from "./process.ts";
import { routesSchema } from "./routes.ts";
import { runSchema } from "./run.ts";
import { servicesSchema } from "./services.ts";
import { sysctlSchema } from "./sysctl.ts";

/** The schema of each action, created when rules are read. */
export const actionSchemas = {
  deny: denySchema,
  edit: editSchema,
  run: runSchema,
  process: processSchema,
  services: servicesSchema,
  modules: modulesSchema,
  sysctl: sysctlSchema,
  cpus: cpusSchema,
  hugepages: hugepagesSchema,
  pci: pciSchema,
  forward: forwardSchema,
  open: openSchema,
  routes: routesSchema,
  addresses: addressesSchema,
  dns: dnsSchema,
} as const;
