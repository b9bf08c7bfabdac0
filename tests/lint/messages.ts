/**
 * The rule about error messages.
 * @module
 */

/** A message given to an error starts with an upper case letter and ends without a period. */
export const errorMessages: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    return {
      NewExpression(node): void {
        const [message] = node.arguments;
        if (node.callee.type !== "Identifier" || !node.callee.name.endsWith("Error") || message === undefined) return;
        const ends = endsOf(message);
        if (ends === undefined) return;
        if (/^\p{Ll}/u.test(ends.first)) {
          context.report({ node: message, message: "An error message starts with an upper case letter" });
        }
        if (/[^.]\.$/.test(ends.last)) {
          context.report({ node: message, message: "An error message ends without a period" });
        }
      },
    };
  },
};

/** The text a message starts and ends with, as far as the source tells. */
function endsOf(node: Deno.lint.Node): { readonly first: string; readonly last: string } | undefined {
  if (node.type === "Literal" && typeof node.value === "string") return { first: node.value, last: node.value };
  if (node.type !== "TemplateLiteral") return undefined;
  return { first: node.quasis[0]?.raw ?? "", last: node.quasis.at(-1)?.raw ?? "" };
}
