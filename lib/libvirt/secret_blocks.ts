/**
 * Secrets on lines of their own: YAML's lists and block texts below a key, as cloud-init's user-data has them, and private keys
 * in PEM.
 * @module
 */

import { isSecretName, isSwitch } from "./secret_names.ts";
import type { Stretch } from "./stretches.ts";

/** One line without its indentation and the dashes of list items. */
interface Line {
  /** Where its text begins in the whole text. */
  readonly start: number;
  readonly text: string;
  /** The column of its text: items of a list are further right than the key of the list, however they are indented. */
  readonly column: number;
}

/** What is below a key that is named as a secret, until a line begins as far left as the key. */
interface Block {
  readonly column: number;
  /**
   * What is secret: the lines that are no entries of their own; of `secrets` and the like also the values of entries; of `chpasswd`
   * what is behind the user's name in `USER:PASSWORD`.
   */
  readonly kind: "value" | "collection" | "users";
  /** The column of the key of a block text (`|`, `>`): below it nothing is YAML. */
  readonly textColumn: number | undefined;
}

const INDENT = /^[ \t]*(?:-[ \t]+)*/;
/** `KEY:` with nothing behind it but the mark of a block text, or a comment. */
const HEAD = /^["']?(?<key>[\w.-]{1,64})["']?[ \t]{0,16}:(?:[ \t]{1,16}(?<mark>[|>][-+\d]{0,2}))?(?:[ \t]{1,64}#.*)?$/;
const ENTRY = /^["']?[\w.-]{1,64}["']?[ \t]{0,16}:[ \t]+/;
const QUOTED = /^(["'])(.+)\1[ \t,\]}]*$/;
const USER = /^[\w.-]{1,64}:(?=\S)/;
const USER_WITHIN = /(?<=[\s\["',]|\\n)[\w.-]{1,64}:(?<secret>[^\s,"'\]\\]+)/dg;
const NO_VALUE = /^(?:#.*|[\[\]{},\s]*)$/;
const PEM_BEGIN = /-----BEGIN [A-Z\d ]{0,32}PRIVATE KEY-----$/;
const PEM_END = /^-----END [A-Z\d ]{0,32}PRIVATE KEY-----/;

/** The secrets in a text's blocks of lines. */
export function secretsInBlocks(text: string): readonly Stretch[] {
  if (!text.includes("\n")) return [];
  const found: Stretch[] = [];
  let block: Block | undefined;
  let isPem = false;
  for (const line of linesOf(text)) {
    if (isPem) {
      isPem = !PEM_END.test(line.text);
      if (isPem) found.push(stretch(line.start, line.text));
    } else if (PEM_BEGIN.test(line.text)) {
      isPem = true;
    } else if (block !== undefined && line.column > block.column) {
      found.push(...secretsIn(line, block));
      block = { ...block, textColumn: textColumnAfter(line, block) };
    } else {
      block = begun(line);
    }
  }
  return found;
}

function linesOf(text: string): readonly Line[] {
  let at = 0;
  return text.split("\n").flatMap((whole) => {
    const start = at;
    at += whole.length + 1;
    const column = INDENT.exec(whole)?.[0].length ?? 0;
    const own = whole.slice(column).trimEnd();
    return own === "" ? [] : [{ start: start + column, text: own, column }];
  });
}

function begun({ text, column }: Line): Block | undefined {
  const { key, mark } = HEAD.exec(text)?.groups ?? {};
  if (key === undefined || !isSecretName(key)) return undefined;
  const kind = /chpasswd$/i.test(key)
    ? "users"
    : /(?:secrets|passwords|passwds|tokens)$/i.test(key)
    ? "collection"
    : "value";
  return { column, kind, textColumn: mark === undefined ? undefined : column };
}

function isBlockText({ column }: Line, { textColumn }: Block): boolean {
  return textColumn !== undefined && column > textColumn;
}

function textColumnAfter(line: Line, block: Block): number | undefined {
  if (isBlockText(line, block)) return block.textColumn;
  return HEAD.exec(line.text)?.groups?.["mark"] === undefined ? undefined : line.column;
}

function secretsIn(line: Line, block: Block): readonly Stretch[] {
  const { start, text } = line;
  if (isBlockText(line, block)) return valueIn(start, text, block);
  if (HEAD.test(text) || NO_VALUE.test(text)) return [];
  const entry = ENTRY.exec(text)?.[0].length;
  if (entry === undefined) return valueIn(...unquoted(start, text), block);
  // The name of an entry says whether it is a secret, and that is looked at where all text is.
  if (block.kind === "value") return [];
  if (block.kind === "collection") return valueIn(...unquoted(start + entry, text.slice(entry)), block);
  return [...text.matchAll(USER_WITHIN)].flatMap(({ indices }) => {
    const [from = 0, to = 0] = indices?.groups?.["secret"] ?? [];
    return [{ start: start + from, end: start + to }];
  });
}

function valueIn(start: number, text: string, { kind }: Block): readonly Stretch[] {
  const user = kind === "users" ? USER.exec(text)?.[0].length ?? 0 : 0;
  const secret = text.slice(user);
  return isSwitch(secret) ? [] : [stretch(start + user, secret)];
}

/** A value of YAML without its quotes, and where it begins. */
function unquoted(start: number, text: string): [number, string] {
  const inner = QUOTED.exec(text)?.[2];
  return inner === undefined ? [start, text] : [start + 1, inner];
}

function stretch(start: number, text: string): Stretch {
  return { start, end: start + text.length };
}
