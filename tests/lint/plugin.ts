/**
 * The project's own lint rules. `deno lint` runs them (`lint.plugins` in deno.json); `plugin_test.ts` has good and bad
 * snippets for each.
 * @module
 */
import { bareSpecifiers, denoSysInEntryPoints, layerImports, literalDynamicImports, noNodeImports } from "./imports.ts";
import { errorMessages } from "./messages.ts";
import {
  denoOnlyInSys,
  errorClassesOnly,
  fileNames,
  functionDeclarations,
  noAssertions,
  noModuleState,
  oneStatementEntryPoints,
  sizeLimits,
  unreadUsing,
} from "./shape.ts";

/** The plugin: one row a rule. */
export default {
  name: "project",
  rules: {
    "layer-imports": layerImports,
    "deno-sys-in-entry-points": denoSysInEntryPoints,
    "bare-specifiers": bareSpecifiers,
    "no-node-imports": noNodeImports,
    "literal-dynamic-imports": literalDynamicImports,
    "deno-only-in-sys": denoOnlyInSys,
    "one-statement-entry-points": oneStatementEntryPoints,
    "function-declarations": functionDeclarations,
    "error-classes-only": errorClassesOnly,
    "no-assertions": noAssertions,
    "no-module-state": noModuleState,
    "file-names": fileNames,
    "size-limits": sizeLimits,
    "unread-using": unreadUsing,
    "error-messages": errorMessages,
  },
} satisfies Deno.lint.Plugin;
