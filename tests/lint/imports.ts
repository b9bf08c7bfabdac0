/**
 * Rules about imports: which layer may import which, and what a specifier may look like.
 * @module
 */
import { isProduct, isRealSystem, type Location, locationOf, resolveSpecifier } from "./location.ts";

const LOWER = [
  "text",
  "net",
  "xml",
  "sys",
  "libvirt",
  "trust",
  "config",
  "plan",
  "actions",
  "rules",
  "resources",
  "ledger",
] as const;

/** For each layer of `lib/`, the other layers it may import, the lowest layer first. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  text: [],
  net: [],
  xml: ["text"],
  sys: ["text"],
  // What libvirt notes on the host (its status files) is read through `Sys`.
  libvirt: ["text", "net", "xml", "sys"],
  trust: ["text", "sys"],
  // How a value of a rule becomes data.
  config: ["text", "net", "xml", "libvirt"],
  // The demands of a rule are data that actions write, the ledger stores and resources fulfil.
  plan: ["text", "net", "xml", "libvirt", "trust", "config"],
  actions: ["text", "net", "xml", "libvirt", "trust", "config", "plan"],
  rules: ["text", "net", "xml", "libvirt", "config", "plan", "actions"],
  resources: ["text", "net", "xml", "sys", "libvirt", "trust", "config", "plan"],
  ledger: ["text", "sys", "libvirt", "plan", "resources"],
  app: [...LOWER],
  // What the product is composed of.
  builtin: [...LOWER],
  cli: [...LOWER, "app"],
  // Stories drive compiled binaries: no layer of a binary may import them.
  story: ["text"],
};
const ENTRY_POINTS_MAY_IMPORT: readonly string[] = ["app", "cli", "libvirt", "sys", "builtin"];

/** Allows a layer of `lib/` to import only itself and the layers listed for it in `MAY_IMPORT`. */
export const layerImports: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const from = locationOf(context.filename);
    return visitSpecifiers((node, specifier) => {
      const to = resolveSpecifier(from, specifier);
      const message = isLocal(specifier) ? importProblem(from, to) : undefined;
      if (message !== undefined) context.report({ node, message });
    });
  },
};

/** Allows only entry points and tests to import the real system, `lib/sys/deno_*.ts`; other files take a `Sys`. */
export const denoSysInEntryPoints: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const from = locationOf(context.filename);
    if (from.kind === "entry" || from.kind === "test" || isRealSystem(from)) return {};
    return visitSpecifiers((node, specifier) => {
      const to = resolveSpecifier(from, specifier);
      if (to === undefined || !isRealSystem(to)) return;
      const message = `Cannot import ${to.path} here: only entry points (hooks/*, cli.ts) and tests may`;
      context.report({ node, message, hint: "Take a `Sys` as a parameter" });
    });
  },
};

/** Packages are imported by their bare names, which `deno.json` pins. */
export const bareSpecifiers: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return visitSpecifiers((node, specifier) => {
      if (!/^(npm|jsr|https?|data|blob|file):/.test(specifier) && !specifier.startsWith("/")) return;
      context.report({
        node,
        message: `Cannot import "${specifier}": use a bare name`,
        hint: "Pin it in deno.json under `imports`",
      });
    });
  },
};

/** `node:*` costs milliseconds at every start of a hook. */
export const noNodeImports: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    if (!isProduct(locationOf(context.filename))) return {};
    return visitSpecifiers((node, specifier) => {
      if (!specifier.startsWith("node:")) return;
      context.report({ node, message: `Cannot import "${specifier}": each node module slows every hook's start` });
    });
  },
};

/** Refuses a computed `import()`: the compiler does not embed its target, so the program would load it from a public folder. */
export const literalDynamicImports: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      ImportExpression(node): void {
        if (isText(node.source)) return;
        context.report({
          node,
          message:
            "Cannot import a computed name: a compiled program would look for it in a folder that any user can write to",
        });
      },
    };
  },
};

function importProblem(from: Location, to: Location | undefined): string | undefined {
  if (from.kind === "build") return buildImportProblem(from, to);
  if (from.kind === "entry" && to?.kind === "build") {
    return "An entry point may not import the build: no binary contains it";
  }
  if (from.kind === "entry" && to?.kind === "lib") {
    return ENTRY_POINTS_MAY_IMPORT.includes(to.layer)
      ? undefined
      : `An entry point may not import lib/${to.layer}: it may import lib/{${ENTRY_POINTS_MAY_IMPORT.join(",")}}`;
  }
  if (from.kind !== "lib") return undefined;
  const allowed = MAY_IMPORT[from.layer];
  if (allowed === undefined) {
    return `lib/${from.layer} is not a known layer: add it to MAY_IMPORT in tests/lint/imports.ts`;
  }
  if (to?.kind !== "lib") return `lib/${from.layer} may not import files outside lib`;
  if (to.layer === from.layer || allowed.includes(to.layer)) return undefined;
  const layers = allowed.length === 0 ? "only itself" : `only itself and lib/{${allowed.join(",")}}`;
  return `lib/${from.layer} may not import lib/${to.layer}: it may import ${layers}`;
}

/** The build imports only itself; `build/docs` also imports `lib`, since it generates pages from the product's tables. */
function buildImportProblem(from: Location, to: Location | undefined): string | undefined {
  if (to?.kind === "build") return undefined;
  if (to?.kind === "lib" && from.path.startsWith("build/docs/")) return undefined;
  return "The build may import only itself, and build/docs also lib";
}

function isLocal(specifier: string): boolean {
  return specifier.startsWith(".");
}

function isText(node: Deno.lint.Node): node is Deno.lint.StringLiteral {
  return node.type === "Literal" && typeof node.value === "string";
}

/** Calls `visit` for each import specifier: static, re-exported, dynamic and in types. */
function visitSpecifiers(visit: (node: Deno.lint.Node, specifier: string) => void): Deno.lint.LintVisitor {
  function visitSource(node: { readonly source: Deno.lint.Node | null }): void {
    if (node.source !== null && isText(node.source)) visit(node.source, node.source.value);
  }
  return {
    ImportDeclaration: visitSource,
    ExportAllDeclaration: visitSource,
    ExportNamedDeclaration: visitSource,
    ImportExpression: visitSource,
    TSImportType(node): void {
      const argument = node.argument.type === "TSLiteralType" ? node.argument.literal : node.argument;
      if (isText(argument)) visit(argument, argument.value);
    },
  };
}
