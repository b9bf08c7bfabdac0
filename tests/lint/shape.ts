/**
 * Rules about the shape of a file: entry points, functions instead of classes, no state, names and sizes.
 * @module
 */
import { isProduct, locationOf, mayUseDeno } from "./location.ts";

const FILE_LINES_MAX = 450;
const FUNCTION_LINES_MAX = 60;
const CATCH_ALL_NAMES: readonly string[] = ["utils", "util", "helpers", "helper", "manager", "common", "index"];

/** Allows `Deno` under `lib/` only in `lib/sys/deno_*.ts`; entry points may use `Deno.exit`. */
export const denoOnlyInSys: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const location = locationOf(context.filename);
    if (location.kind !== "entry" && mayUseDeno(location)) return {};
    return {
      Identifier(node): void {
        if (node.name !== "Deno" || (location.kind === "entry" && isExitOf(node))) return;
        const message = location.kind === "entry"
          ? "An entry point may use only Deno.exit"
          : "Cannot use Deno here: under lib only lib/sys/deno_*.ts may";
        context.report({ node, message, hint: "Take a `Sys` as a parameter" });
      },
    };
  },
};

/** An entry point (`hooks/*`, `cli.ts`) contains imports and one statement. */
export const oneStatementEntryPoints: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    if (locationOf(context.filename).kind !== "entry") return {};
    return {
      Program(node): void {
        const others = node.body.filter((statement) => statement.type !== "ImportDeclaration");
        if (others.length === 1 && others[0]?.type === "ExpressionStatement") return;
        context.report({ node, message: "An entry point contains imports and one expression statement, nothing else" });
      },
    };
  },
};

/** Top-level functions are declared with `function`. */
export const functionDeclarations: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    function visit(node: Deno.lint.VariableDeclaration): void {
      for (const { id, init } of node.declarations) {
        if (init?.type !== "ArrowFunctionExpression" && init?.type !== "FunctionExpression") continue;
        const name = id.type === "Identifier" ? id.name : "it";
        context.report({ node, message: `Cannot bind a function to a top-level variable: write \`function ${name}\`` });
      }
    }
    return {
      "Program > VariableDeclaration": visit,
      "Program > ExportNamedDeclaration > VariableDeclaration": visit,
    };
  },
};

/** Classes are for errors only. */
export const errorClassesOnly: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    function visit(node: Deno.lint.ClassDeclaration | Deno.lint.ClassExpression): void {
      if (node.superClass?.type === "Identifier" && node.superClass.name.endsWith("Error")) return;
      context.report({ node, message: "A class must extend an Error: write functions over closed readonly types" });
    }
    return { ClassDeclaration: visit, ClassExpression: visit };
  },
};

/** Refuses type assertions under `lib/` but in `lib/sys`: they hide mistakes. */
export const noAssertions: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const location = locationOf(context.filename);
    if (location.kind !== "lib" || location.layer === "sys") return {};
    return {
      TSAsExpression(node): void {
        // In `x as const` the linter's tree gives the whole expression as the type.
        if (/\sas\s+const$/.test(context.sourceCode.getText(node))) return;
        context.report({ node, message: "Cannot assert a type here: parse the value, or narrow it" });
      },
      TSTypeAssertion(node): void {
        context.report({ node, message: "Cannot assert a type here: parse the value, or narrow it" });
      },
    };
  },
};

/** Modules keep no state: nothing at the top level can be assigned again. */
export const noModuleState: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    if (!isProduct(locationOf(context.filename))) return {};
    function visit(node: Deno.lint.VariableDeclaration): void {
      if (node.kind !== "let" && node.kind !== "var") return;
      context.report({ node, message: `Cannot declare a top-level \`${node.kind}\`: modules keep no state` });
    }
    return {
      "Program > VariableDeclaration": visit,
      "Program > ExportNamedDeclaration > VariableDeclaration": visit,
    };
  },
};

/**
 * Refuses to read a `using` variable: `deno bundle --minify` of Deno 2.7 inlines the value of one that is read once, and the
 * value is then never disposed. A `using` variable that is never read is kept.
 */
export const unreadUsing: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const location = locationOf(context.filename);
    // The build is never bundled.
    if (!isProduct(location) || location.kind === "build") return {};
    return {
      VariableDeclaration(node): void {
        if (node.kind !== "using" && node.kind !== "await using") return;
        for (const { id } of node.declarations) {
          if (id.type === "Identifier" && id.name.startsWith("_")) continue;
          const name = id.type === "Identifier" ? id.name : "it";
          context.report({
            node,
            message: `Cannot read a \`using\` variable: bind ${name} with const, then \`using _${name} = ${name}\``,
          });
        }
      },
    };
  },
};

/** A file is named after its idea, in snake_case. */
export const fileNames: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      Program(node): void {
        const name = locationOf(context.filename).path.split("/").at(-1) ?? "";
        const stem = name.replace(/(\.d)?\.[a-z]+$/, "");
        if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(stem)) {
          context.report({ node, message: `Cannot call a file "${name}": write it in snake_case` });
        } else if (stem.split("_").some((word) => CATCH_ALL_NAMES.includes(word))) {
          context.report({ node, message: `Cannot call a file "${name}": name the one idea it holds` });
        }
      },
    };
  },
};

/** Files and functions stay short enough to be read at once. */
export const sizeLimits: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    if (!isProduct(locationOf(context.filename))) return {};
    function visit(node: Deno.lint.Node): void {
      const lines = lineCount(context.sourceCode.getText(node));
      if (lines <= FUNCTION_LINES_MAX) return;
      context.report({ node, message: `A function may have ${FUNCTION_LINES_MAX} lines: this one has ${lines}` });
    }
    return {
      Program(node): void {
        const lines = lineCount(context.sourceCode.text.trimEnd());
        if (lines <= FILE_LINES_MAX) return;
        context.report({ node, message: `A file may have ${FILE_LINES_MAX} lines: this one has ${lines}` });
      },
      FunctionDeclaration: visit,
      FunctionExpression: visit,
      ArrowFunctionExpression: visit,
    };
  },
};

function isExitOf(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  return parent.type === "MemberExpression" && !parent.computed && parent.property.type === "Identifier" &&
    parent.property.name === "exit";
}

function lineCount(text: string): number {
  return text.split("\n").length;
}
