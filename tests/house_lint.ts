/**
 * The house's own lint rules: what the design asks of every file and a linter can see. `deno lint` runs them
 * (see `lint.plugins` in deno.json); each has good and bad snippets in `house_lint_test.ts`.
 * @module
 */
import {
  bareSpecifiers,
  denoSysForDoors,
  layerWalls,
  literalDynamicImports,
  noNodeImports,
} from "./house_lint/imports.ts";
import { errorMessages } from "./house_lint/messages.ts";
import {
  denoOnlyInSys,
  errorClassesOnly,
  fileNames,
  functionDeclarations,
  noAssertions,
  noModuleState,
  oneStatementDoors,
  sizeLimits,
  unreadUsing,
} from "./house_lint/shape.ts";

/** The plugin: one row a rule. */
export default {
  name: "house",
  rules: {
    "layer-walls": layerWalls,
    "deno-sys-for-doors": denoSysForDoors,
    "bare-specifiers": bareSpecifiers,
    "no-node-imports": noNodeImports,
    "literal-dynamic-imports": literalDynamicImports,
    "deno-only-in-sys": denoOnlyInSys,
    "one-statement-doors": oneStatementDoors,
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
