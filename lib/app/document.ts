/**
 * The document that libvirt goes on with at `migrate` and `restore`: changed step by step, looked at before it leaves.
 * @module
 */
import type { PlannedEdit } from "../plan/intent.ts";
import { parseLibvirtDocument } from "../libvirt/parse.ts";
import { type Edit, planEdits, XmlEditError } from "../xml/edit.ts";
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { applySplices } from "../xml/splice.ts";
import { XmlLimitError } from "../xml/limit_error.ts";
import { positionFinder, withoutNames, XmlSyntaxError } from "../xml/syntax_error.ts";
import { getAttribute, textContent, type XmlDocument } from "../xml/tree.ts";

/** One place that an edit changed. */
export interface DocumentEdit {
  /** From 1, in the document the edit found. */
  readonly line: number;
  readonly from: string;
  readonly to: string;
}

/** The result of changing a document. */
export type Changed =
  | {
    readonly kind: "changed";
    readonly document: XmlDocument;
    /** Whether it is another document than before. */
    readonly isNew: boolean;
    /** The first places that changed. */
    readonly changes: readonly DocumentEdit[];
  }
  | { readonly kind: "failed"; readonly problem: string };

const CHANGES_NOTED_MAX = 20;
/** Of a longer text only the length is noted. */
const NOTED_LENGTH_MAX = 4096;
/** How long the expression of one edit may look for matches, over all values. */
export const REGEX_MS_MAX = 2_000;

/** Does one edit. A document that is already as wanted comes back as it is. `isLate` ends an expression's search. */
export async function changeDocument(
  document: XmlDocument,
  edit: PlannedEdit,
  isLate: () => boolean,
): Promise<Changed> {
  const resolved = await readyEdit(edit, isLate);
  return attempt(() => {
    const splices = planEdits(document, [resolved]);
    if (splices.length === 0) return { kind: "changed", document, isNew: false, changes: [] };
    const placeOf = positionFinder(document.text);
    const changes = splices.slice(0, CHANGES_NOTED_MAX).map(({ span: { start, end }, text }) => ({
      line: placeOf(start).line,
      from: saved(document.text.slice(start, end)),
      to: saved(text),
    }));
    const changed = parseLibvirtDocument(applySplices(document.text, splices));
    return { kind: "changed", document: changed, isNew: true, changes };
  });
}

function saved(text: string): string {
  return text.length > NOTED_LENGTH_MAX ? `(${text.length} characters)` : text;
}

async function readyEdit(edit: PlannedEdit, isLate: () => boolean): Promise<Edit> {
  if (edit.kind !== "regex") return edit;
  const { compileRegex } = await import("../xml/regex.ts");
  return { kind: "regex", path: edit.path, find: compileRegex(edit, isLate) };
}

/** Reads a document that a program printed. */
export function readPrinted(printed: { readonly stdout: string; readonly stdoutIsUtf8: boolean }): Changed {
  if (!printed.stdoutIsUtf8) return { kind: "failed", problem: "it is not UTF-8" };
  return attempt(() => {
    const document = parseLibvirtDocument(printed.stdout);
    const problem = document.root.name.raw === "domain"
      ? undefined
      : `it is a <${document.root.name.raw}>, not a <domain>`;
    return problem === undefined
      ? { kind: "changed", document, isNew: true, changes: [] }
      : { kind: "failed", problem };
  });
}

function attempt(change: () => Changed): Changed {
  try {
    return change();
  } catch (error) {
    if (error instanceof XmlSyntaxError) return { kind: "failed", problem: withoutNames(error) };
    if (error instanceof XmlEditError || error instanceof XmlLimitError) {
      return { kind: "failed", problem: error.message };
    }
    throw error;
  }
}

/** What libvirt refuses to see changed (`virDomainDefCheckABIStability`): it would say so late, and in its own words. */
const FIXED = { name: "/domain/name", uuid: "/domain/uuid" } as const;

/** Why libvirt would refuse a document in the place of the one it sent; `undefined` when we know of nothing. */
export function refuseDocument(sent: XmlDocument, final: XmlDocument): string | undefined {
  if (final.root.name.raw !== "domain") return `the new document is a <${final.root.name.raw}>, not a <domain>`;
  const [before, after] = [getAttribute(sent.root, "type"), getAttribute(final.root, "type")];
  if (before !== after) {
    return `the guest's type must stay ${JSON.stringify(before)}: it would be ${JSON.stringify(after)}`;
  }
  for (const [what, path] of Object.entries(FIXED)) {
    const [old, now] = [valueAt(path, sent), valueAt(path, final)];
    if (old !== now) return `the guest's ${what} must stay ${JSON.stringify(old)}: it would be ${JSON.stringify(now)}`;
  }
  return undefined;
}

function valueAt(path: string, document: XmlDocument): string | undefined {
  const [node] = select(parsePath(path), document);
  return node === undefined ? undefined : textContent(node);
}
