/**
 * Rules about imports: the walls between rooms, and what a specifier may look like.
 * @module
 */
import { isProduct, isRealWorld, type Place, placeOf, resolveSpecifier } from "./place.ts";

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
};
const DOORS_MAY_IMPORT: readonly string[] = ["app", "cli", "libvirt", "sys", "builtin"];

/** Each room of `lib/` imports only itself and the rooms above it. */
export const layerWalls: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const from = placeOf(context.filename);
    return visitSpecifiers((node, specifier) => {
      const to = resolveSpecifier(from, specifier);
      const message = isLocal(specifier) ? wallBetween(from, to) : undefined;
      if (message !== undefined) context.report({ node, message });
    });
  },
};

/** The real world, `lib/sys/deno_*.ts`, is handed over by doors; nobody else fetches it. */
export const denoSysForDoors: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const from = placeOf(context.filename);
    if (from.kind === "door" || from.kind === "test" || isRealWorld(from)) return {};
    return visitSpecifiers((node, specifier) => {
      const to = resolveSpecifier(from, specifier);
      if (to === undefined || !isRealWorld(to)) return;
      const message = `Cannot import ${to.path} here: only doors (hooks/*, cli.ts) and tests may`;
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
    if (!isProduct(placeOf(context.filename))) return {};
    return visitSpecifiers((node, specifier) => {
      if (!specifier.startsWith("node:")) return;
      context.report({ node, message: `Cannot import "${specifier}": each node module slows every hook's start` });
    });
  },
};

/** What a computed `import()` names is not embedded: a compiled program would then run a file from a public folder. */
export const literalDynamicImports: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      ImportExpression(node): void {
        if (isText(node.source)) return;
        context.report({
          node,
          message: "Cannot import a computed name: a compiled program would look for it in a folder anybody can write",
        });
      },
    };
  },
};

function wallBetween(from: Place, to: Place | undefined): string | undefined {
  if (from.kind === "build") return wallOfBuild(from, to);
  if (from.kind === "door" && to?.kind === "build") return "A door may not import the build: no binary contains it";
  if (from.kind === "door" && to?.kind === "lib") {
    return DOORS_MAY_IMPORT.includes(to.room)
      ? undefined
      : `A door may not import lib/${to.room}: it may import lib/{${DOORS_MAY_IMPORT.join(",")}}`;
  }
  if (from.kind !== "lib") return undefined;
  const allowed = MAY_IMPORT[from.room];
  if (allowed === undefined) {
    return `lib/${from.room} is no room of the house: its rooms are in tests/house_lint/imports.ts`;
  }
  if (to?.kind !== "lib") return `lib/${from.room} may not import what stands outside lib`;
  if (to.room === from.room || allowed.includes(to.room)) return undefined;
  const rooms = allowed.length === 0 ? "only itself" : `only itself and lib/{${allowed.join(",")}}`;
  return `lib/${from.room} may not import lib/${to.room}: it may import ${rooms}`;
}

/** The build imports itself; only the pages that it generates (`build/docs`) are made from the product's own tables. */
function wallOfBuild(from: Place, to: Place | undefined): string | undefined {
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

/** Calls back for every place where a file names another: static, re-exported, dynamic and in types. */
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
