/**
 * Mistakes as a person wants to read them: with their place in the text and the nearest right name. Loaded only when
 * there are mistakes.
 * @module
 */
import { type AST, parseTOML } from "toml-eslint-parser";
import { listedNames } from "../config/listing.ts";
import type { Issue, Mistake, Path } from "./mistake.ts";
import { didYouMean } from "./nearest.ts";
import type { RulesFile } from "./rule.ts";

/** Positions cost memory many times the text: of a longer text none are told. */
const TEXT_LENGTH_MAX = 131_072;

/** What is told of mistakes: the first ones, and how many there are. */
export interface DescribeContext {
  readonly issues: readonly Issue[];
  readonly count: number;
}

/** Turns the first mistakes, `most` of them, into issues, in the order of files and lines. */
export function describeMistakes(
  mistakes: readonly Mistake[],
  files: readonly RulesFile[],
  most: number,
): DescribeContext {
  const order = new Map(files.map((file, index) => [file.path, index]));
  const texts = new Map(files.map((file) => [file.path, file.text]));
  const trees = new Map<string, Tree>();
  const told = withoutEchoes(mistakes);
  const issues = told
    .toSorted((a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || ruleIndex(a) - ruleIndex(b))
    .slice(0, most + SAME_RULE_MAX)
    .map((mistake) => describe(mistake, () => treeOf(mistake.file, texts, trees)))
    .sort((a, b) =>
      (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0)
    );
  return { issues: issues.slice(0, most), count: told.length };
}

/** The nodes of a text; none where positions are not told. */
type Tree = AST.TOMLTopLevelTable["body"];

/** So many more are looked at, as the order within a rule is known only with the places. */
const SAME_RULE_MAX = 20;

/** What comes before all rules comes first. */
function ruleIndex({ path: [top, index] }: Mistake): number {
  return top === "rule" && typeof index === "number" ? index : -1;
}

/** A text is parsed once, however many mistakes it has. */
function treeOf(path: string, texts: ReadonlyMap<string, string>, trees: Map<string, Tree>): Tree | undefined {
  const text = texts.get(path) ?? "";
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const tree = trees.get(path) ?? parseTree(text);
  trees.set(path, tree);
  return tree;
}

/** The two parsers of TOML may disagree: then there is no position, and that is all. */
function parseTree(text: string): Tree {
  try {
    return parseTOML(text).body[0].body;
  } catch {
    return [];
  }
}

/** A key that is missing because it is misspelled beside is one mistake, not two. */
function withoutEchoes(mistakes: readonly Mistake[]): readonly Mistake[] {
  const missing = new Set(mistakes.filter(missingKey).map(({ file, path }) => echoKey(file, path, undefined)));
  const meant = new Set(
    mistakes
      .filter(({ at, file, path }) => at === "key" && missing.has(echoKey(file, path.slice(0, -1), undefined)))
      .map((mistake) => {
        const [, name] = /^did you mean "(.*)"\?$/.exec(nearest(mistake) ?? "") ?? [];
        return echoKey(mistake.file, mistake.path.slice(0, -1), name);
      }),
  );
  return mistakes.filter((mistake) => {
    const name = missingKey(mistake);
    return name === undefined || !meant.has(echoKey(mistake.file, mistake.path, name));
  });
}

/** The key that is missing, where that is the mistake. */
function missingKey({ expected }: Mistake): string | undefined {
  return /^the key "([^"]*)"$/.exec(expected)?.[1];
}

function echoKey(file: string, path: Path, name: string | undefined): string {
  return JSON.stringify([file, path, name]);
}

function describe(mistake: Mistake, tree: () => Tree | undefined): Issue {
  const { depth, position } = hookPoint(mistake, tree);
  return {
    file: mistake.file,
    line: position?.line,
    column: position?.column,
    // One value where a list could stand is not called the list's first.
    path: pathText(mistake.path.slice(0, Math.max(depth, 0))),
    found: mistake.found,
    expected: mistake.expected,
    hint: nearest(mistake),
  };
}

function hookPoint(
  { at, path }: Mistake,
  findTree: () => Tree | undefined,
): { readonly depth: number; readonly position: Position | undefined } {
  if (typeof at === "object") return { depth: 0, position: at };
  const tree = findTree();
  return tree === undefined ? { depth: path.length, position: undefined } : locate(tree, path, at);
}

function pathText(path: Path): string {
  return path.map((part, index) => typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`).join("");
}

function nearest(mistake: Mistake): string | undefined {
  const names = listedNames(mistake.expected);
  const [, word] = /"(.*)"$/.exec(mistake.found) ?? [];
  return word === undefined ? undefined : didYouMean(word, names);
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** The place of the deepest part of the path that the text has. */
function locate(tree: Tree, path: Path, at: "key" | "value"): Found {
  let found: Found = { depth: -1, position: { line: 1, column: 1 } };
  for (const node of tree) {
    const candidate = node.type === "TOMLTable" ? inTable(node, path, at) : inKeyValue(node, [], path, at);
    if (candidate !== undefined && candidate.depth > found.depth) found = candidate;
  }
  return found;
}

interface Found {
  /** How many parts of the path this is. */
  readonly depth: number;
  readonly position: Position;
}

function inTable(table: AST.TOMLTable, path: Path, at: "key" | "value"): Found | undefined {
  const key = table.resolvedKey;
  if (!isPrefix(key, path)) return isPrefix(path, key) ? { depth: path.length, position: start(table.key) } : undefined;
  let found: Found = { depth: key.length, position: start(table.key) };
  for (const node of table.body) {
    const candidate = inKeyValue(node, key, path, at);
    if (candidate !== undefined && candidate.depth > found.depth) found = candidate;
  }
  return found;
}

function inKeyValue(
  node: AST.TOMLKeyValue,
  above: Path,
  path: Path,
  at: "key" | "value",
): Found | undefined {
  const key = [...above, ...node.key.keys.map((part) => part.type === "TOMLBare" ? part.name : part.value)];
  if (!isPrefix(key, path)) return isPrefix(path, key) ? { depth: path.length, position: start(node.key) } : undefined;
  const isEnd = key.length === path.length;
  if (isEnd && at === "key") return { depth: key.length, position: start(node.key) };
  return inValue(node.value, key, path, at);
}

function inValue(value: AST.TOMLContentNode, above: Path, path: Path, at: "key" | "value"): Found {
  let found: Found = { depth: above.length, position: start(value) };
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

function inElement(element: AST.TOMLContentNode, key: Path, path: Path, at: "key" | "value"): Found | undefined {
  return isPrefix(key, path) ? inValue(element, key, path, at) : undefined;
}

function isPrefix(prefix: Path, path: Path): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}

function start(node: { readonly loc: AST.SourceLocation }): Position {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
