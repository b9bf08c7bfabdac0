/**
 * The actions there are, by the key that names them in a rule. One more action is one more row.
 * @module
 */
import { cpusSchema } from "./cpus.ts";
import { denySchema } from "./deny.ts";
import { editSchema } from "./edit.ts";
import { runSchema } from "./run.ts";
import { servicesSchema } from "./services.ts";
import { sysctlSchema } from "./sysctl.ts";

/** The schema of each action, made when rules are read. */
export const actionSchemas = {
  deny: denySchema,
  edit: editSchema,
  run: runSchema,
  sysctl: sysctlSchema,
  cpus: cpusSchema,
  services: servicesSchema,
} as const;
