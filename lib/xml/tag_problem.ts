/**
 * Says what is wrong with a start tag. Runs only once a tag is known to be broken.
 * @module
 */

import { fail, type Scan } from "./scan.ts";

/** @throws {XmlSyntaxError} always: what stops the tag `name` from going on at `scan.at` */
export function failInTag(scan: Scan, name: string): never {
  const { text, at } = scan;
  const tag = `<${name.slice(0, 60)}`;
  const space = /[ \t\r\n]*/y;
  space.lastIndex = at;
  space.test(text);
  const offset = space.lastIndex;
  if (offset >= text.length) fail(scan, `the tag "${tag}" has no end`, offset);
  const attribute = /([^ \t\r\n"'<>/=&]+)[ \t\r\n]*(=?)[ \t\r\n]*(["']?)/y;
  attribute.lastIndex = offset;
  const match = attribute.exec(text);
  if (match === null) fail(scan, `the tag "${tag}" cannot hold "${text.charAt(offset)}" here`, offset);
  const attributeName = (match[1] ?? "").slice(0, 60);
  if (offset === at) fail(scan, `white space is missing before "${attributeName}"`, offset);
  if (match[2] === "") fail(scan, `the attribute "${attributeName}" has no value`, offset);
  if (match[3] === "") fail(scan, `the value of the attribute "${attributeName}" is not quoted`, attribute.lastIndex);
  const end = text.slice(attribute.lastIndex).search(match[3] === '"' ? /["<]/ : /['<]/);
  if (end === -1) fail(scan, `the value of the attribute "${attributeName}" has no end`, offset);
  fail(scan, `a "<" in the value of "${attributeName}" must be written "&lt;"`, attribute.lastIndex + end);
}
