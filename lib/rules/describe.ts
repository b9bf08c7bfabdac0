/**
 * Describes mistakes for people, with their position in the text and the most similar valid name. Loaded only if
 * there are mistakes.
 * @module
 */
import { type AST, parseTOML } from "toml-eslint-parser";
import { listedNames } from "../config/listing.ts";
import type { Issue, Mistake, TomlPath } from "./mistake.ts";
import { didYouMean } from "./nearest.ts";
import type { RulesFile } from "./rule.ts";

/** Parsing positions takes a multiple of the text's memory, so a longer text gets none. */
const TEXT_LENGTH_MAX = 131_072;

/** The first mistakes, and the number of all. */
export interface DescribedMistakes {
  readonly issues: readonly Issue[];
  readonly count: number;
}

/** Converts the first `most` mistakes to issues, in the order of files and lines. */
export function describeMistakes(
  mistakes: readonly Mistake[],
  files: readonly RulesFile[],
  most: number,
): DescribedMistakes {
  const order = new Map(files.map((file, index) => [file.path, index]));
  const texts = new Map(files.map((file) => [file.path, file.text]));
  const trees = new Map<string, TomlTree>();
  const distinct = withoutDuplicates(mistakes);
  const issues = distinct
    .toSorted((a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || ruleIndex(a) - ruleIndex(b))
    .slice(0, most + EXTRA_MISTAKES)
    .map((mistake) => describe(mistake, () => treeOf(mistake.file, texts, trees)))
    .sort((a, b) =>
      (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0)
    );
  return { issues: issues.slice(0, most), count: distinct.length };
}

/** The nodes of a text; empty if positions are unknown. */
type TomlTree = AST.TOMLTopLevelTable["body"];

/** How many more mistakes are located: the order within a rule is known only with the positions. */
const EXTRA_MISTAKES = 20;

/** Returns the rule's index; -1 for anything outside of rules, which comes first. */
function ruleIndex({ path: [top, index] }: Mistake): number {
  return top === "rule" && typeof index === "number" ? index : -1;
}

/** Returns the tree of a file. A text is parsed only once. */
function treeOf(path: string, texts: ReadonlyMap<string, string>, trees: Map<string, TomlTree>): TomlTree | undefined {
  const text = texts.get(path) ?? "";
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const tree = trees.get(path) ?? parseTree(text);
  trees.set(path, tree);
  return tree;
}

/** Parses a text. The two TOML parsers may disagree; then there are no positions. */
function parseTree(text: string): TomlTree {
  try {
    return parseTOML(text).body[0].body;
  } catch {
    return [];
  }
}

/** Removes duplicates: a missing key whose misspelled form is also reported is one mistake, not two. */
function withoutDuplicates(mistakes: readonly Mistake[]): readonly Mistake[] {
  const missing = new Set(mistakes.filter(missingKey).map(({ file, path }) => duplicateKey(file, path, undefined)));
  const misspelled = new Set(
    mistakes
      .filter(({ at, file, path }) => at === "key" && missing.has(duplicateKey(file, path.slice(0, -1), undefined)))
      .map((mistake) => {
        const [, name] = /^did you mean "(.*)"\?$/.exec(hintFor(mistake) ?? "") ?? [];
        return duplicateKey(mistake.file, mistake.path.slice(0, -1), name);
      }),
  );
  return mistakes.filter((mistake) => {
    const name = missingKey(mistake);
    return name === undefined || !misspelled.has(duplicateKey(mistake.file, mistake.path, name));
  });
}

/** Returns the missing key, if that is the mistake. */
function missingKey({ expected }: Mistake): string | undefined {
  return /^the key "([^"]*)"$/.exec(expected)?.[1];
}

function duplicateKey(file: string, path: TomlPath, name: string | undefined): string {
  return JSON.stringify([file, path, name]);
}

function describe(mistake: Mistake, tree: () => TomlTree | undefined): Issue {
  const { depth, position } = locationOf(mistake, tree);
  return {
    file: mistake.file,
    line: position?.line,
    column: position?.column,
    // A single value in place of a list has no index.
    path: pathText(mistake.path.slice(0, Math.max(depth, 0))),
    found: mistake.found,
    expected: mistake.expected,
    hint: hintFor(mistake),
  };
}

function locationOf(
  { at, path }: Mistake,
  findTree: () => TomlTree | undefined,
): { readonly depth: number; readonly position: Position | undefined } {
  if (typeof at === "object") return { depth: 0, position: at };
  const tree = findTree();
  return tree === undefined ? { depth: path.length, position: undefined } : locate(tree, path, at);
}

function pathText(path: TomlPath): string {
  return path.map((part, index) => typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`).join("");
}

function hintFor(mistake: Mistake): string | undefined {
  const names = listedNames(mistake.expected);
  const [, word] = /"(.*)"$/.exec(mistake.found) ?? [];
  return word === undefined ? undefined : didYouMean(word, names);
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Returns the position of the deepest part of the path in the text. */
function locate(tree: TomlTree, path: TomlPath, at: "key" | "value"): Location {
  let found: Location = { depth: -1, position: { line: 1, column: 1 } };
  for (const node of tree) {
    const candidate = node.type === "TOMLTable" ? inTable(node, path, at) : inKeyValue(node, [], path, at);
    if (candidate !== undefined && candidate.depth > found.depth) found = candidate;
  }
  return found;
}

interface Location {
  /** The number of parts of the path that were found. */
  readonly depth: number;
  readonly position: Position;
}

function inTable(table: AST.TOMLTable, path: TomlPath, at: "key" | "value"): Location | undefined {
  const key = table.resolvedKey;
  if (!isPrefix(key, path)) return isPrefix(path, key) ? { depth: path.length, position: start(table.key) } : undefined;
  let found: Location = { depth: key.length, position: start(table.key) };
  for (const node of table.body) {
    const candidate = inKeyValue(node, key, path, at);
    if (candidate !== undefined && candidate.depth > found.depth) found = candidate;
  }
  return found;
}

function inKeyValue(
  node: AST.TOMLKeyValue,
  above: TomlPath,
  path: TomlPath,
  at: "key" | "value",
): Location | undefined {
  const key = [...above, ...node.key.keys.map((part) => part.type === "TOMLBare" ? part.name : part.value)];
  if (!isPrefix(key, path)) return isPrefix(path, key) ? { depth: path.length, position: start(node.key) } : undefined;
  const isEnd = key.length === path.length;
  if (isEnd && at === "key") return { depth: key.length, position: start(node.key) };
  return inValue(node.value, key, path, at);
}

function inValue(value: AST.TOMLContentNode, above: TomlPath, path: TomlPath, at: "key" | "value"): Location {
  let found: Location = { depth: above.length, position: start(value) };
  const inner = value.type === "TOMLInlineTable"
    ? value.body.map((node) => inKeyValue(node, above, path, at))
    : value.type === "TOMLArray"
    ? value.elements.map((element, index) => inElement(element, [...above, index], path, at))
    : [];
  for (const candidate of inner) {
    if (candidate !== undefined && candidate.depth > found.depth) found = candidate;
  }
  return found;
}

function inElement(
  element: AST.TOMLContentNode,
  key: TomlPath,
  path: TomlPath,
  at: "key" | "value",
): Location | undefined {
  return isPrefix(key, path) ? inValue(element, key, path, at) : undefined;
}

function isPrefix(prefix: TomlPath, path: TomlPath): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}

function start(node: { readonly loc: AST.SourceLocation }): Position {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
