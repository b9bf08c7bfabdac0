/**
 * `virt-hooks xml select`: tries a path on a document.
 * @module
 */
import { libvirtNamespaces } from "../../libvirt/namespaces.ts";
import { visible } from "../../text/quote.ts";
import { parseDocument } from "../../xml/document.ts";
import { PathSyntaxError } from "../../xml/path.ts";
import { type Namespaces, parsePath } from "../../xml/path_parser.ts";
import { select } from "../../xml/select.ts";
import { isDocumentError } from "../../xml/limit_error.ts";
import { positionFinder } from "../../xml/syntax_error.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { readDocument } from "../read_call.ts";

/** The subcommand. */
export const xml: Subcommand = {
  name: "xml",
  summary: "Show what a path finds in a document",
  description: [`Prefixes that need no --ns: ${Object.keys(libvirtNamespaces).join(", ")}.`],
  args: [
    { name: "select", description: "The word select" },
    { name: "PATH", description: "A path as rules have it" },
  ],
  options: [{ name: "ns", value: "PREFIX=URI", description: "Prefixes of the path; several are separated by spaces" }],
  stdin: "DOCUMENT",
  exitCodes: [{ code: 1, meaning: "The path finds nothing" }],
  examples: [
    {
      command: `virsh dumpxml web-1 | virt-hooks xml select "//interface/target/@dev"`,
      description: "Print the devices of a guest's interfaces",
    },
    {
      command: "virt-hooks xml select /domain/uuid < web-1.xml",
      description: "Print its UUID",
    },
  ],
  run: (args, context) => Promise.resolve(selectNodes(args, context)),
};

function selectNodes(args: Args, context: CliContext): number {
  const [verb, path = ""] = args.positionals;
  if (verb !== "select") {
    throw new CommandError(`Cannot run "xml ${verb}": it must be select`, { code: USAGE_CODE });
  }
  try {
    const parsed = parsePath(path, namespacesOf(args.options["ns"]));
    const document = parseDocument(readDocument(context));
    const nodes = select(parsed, document);
    const placeOf = positionFinder(document.text);
    for (const { span } of nodes) {
      const { line, column } = placeOf(span.start);
      const text = document.text.slice(span.start, span.end);
      context.print(`${context.paint("dim", `${line}:${column}`)}  ${text.split("\n").map(visible).join("\n")}`);
    }
    return nodes.length === 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof PathSyntaxError) && !isDocumentError(error)) throw error;
    throw new CommandError(error.message, { code: USAGE_CODE });
  }
}

function namespacesOf(text: string | undefined): Namespaces {
  const pairs = (text ?? "").split(/\s+/).filter((pair) => pair !== "").map((pair): readonly [string, string] => {
    const [prefix = "", uri = ""] = pair.split(/=(.*)/s);
    if (prefix !== "" && uri !== "") return [prefix, uri];
    throw new CommandError(`Cannot read --ns: "${pair}" is not PREFIX=URI`, { code: USAGE_CODE });
  });
  return { ...libvirtNamespaces, ...Object.fromEntries(pairs) };
}
