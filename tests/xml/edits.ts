/**
 * Edits, written short.
 * @module
 */

import type { Edit, InsertPlace } from "../../lib/xml/edit.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { compileRegex } from "../../lib/xml/regex.ts";

export function set(path: string, value: string): Edit {
  return { kind: "set", path: parsePath(path), value };
}

export function replace(path: string, search: string, replaceWith: string): Edit {
  return { kind: "replace", path: parsePath(path), search, with: replaceWith };
}

export function regex(path: string, expression: string, replaceWith: string): Edit {
  const find = compileRegex({ expression, with: replaceWith }, () => false);
  return { kind: "regex", path: parsePath(path), find };
}

export function remove(path: string): Edit {
  return { kind: "remove", path: parsePath(path) };
}

export function insert(place: InsertPlace, path: string, xml: string): Edit {
  return { kind: "insert", path: parsePath(path), place, xml };
}
