/**
 * The requests to a private root, as sh scripts. Pure: nothing is run or written here.
 *
 * A script is built as text with one character a byte, so that no byte of an argument changes.
 * @module
 */

/** The stdin of a call. */
export type Stdin =
  | { readonly kind: "null" | "empty" | "closed" }
  | { readonly kind: "zeros"; readonly byteCount: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

/** A signal for the called process, sent once a path exists. */
export interface Signal {
  readonly name: "TERM" | "INT" | "HUP" | "KILL";
  readonly onceExists: string;
}

/** One program run inside; arguments are passed on untouched, also those that are not UTF-8. */
export interface Call {
  readonly argv: readonly (string | Uint8Array)[];
  /** The whole environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: Stdin;
  /** Streams the program finds closed. */
  readonly closed?: readonly ("stdout" | "stderr")[];
  readonly signals?: readonly Signal[];
  /** After this time the whole root is ended and `run` fails. */
  readonly limitMs?: number;
}

/** What to create at a path, with its parents. */
export type Placed =
  & { readonly path: string }
  & (
    | {
      readonly kind: "file";
      readonly content: string | Uint8Array;
      readonly mode: string;
      /** A file of an owner other than root is mounted from the host, which only the host's root can do. */
      readonly ownerUid?: number;
    }
    | { readonly kind: "folder" | "fifo"; readonly mode: string }
    | { readonly kind: "link"; readonly target: string }
  );

/** A file beside the scripts, named after its index. */
export interface Attachment {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly ownerUid: number;
}

/** Everything private_root.sh needs for one call. */
export interface Scripts {
  /** Its name in errors. */
  readonly title: string;
  readonly call: Uint8Array<ArrayBuffer>;
  readonly feed: Uint8Array<ArrayBuffer>;
  readonly meanwhile: Uint8Array<ArrayBuffer>;
  readonly attachments: readonly Attachment[];
}

/** Returns the scripts that run a program; `folder` is their folder inside. */
export function callScripts(call: Call, folder: string): Scripts {
  const stdin = call.stdin ?? { kind: "null" };
  const environment = Object.entries(call.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const words = ["env", "-i", ...environment, ...call.argv].map(quote).join(" ");
  const redirections = [
    stdin.kind === "null" ? " </dev/null" : stdin.kind === "closed" ? " <&-" : "",
    call.closed?.includes("stdout") ? " >&-" : "",
    call.closed?.includes("stderr") ? " 2>&-" : "",
  ];
  return {
    title: call.argv.map((word) => typeof word === "string" ? word : new TextDecoder().decode(word)).join(" "),
    call: bytesOf(`cd /\nexec ${words}${redirections.join("")}\n`),
    feed: bytesOf(feedLine(stdin, folder)),
    meanwhile: bytesOf((call.signals ?? []).map(signalLine).join("\n") || ":"),
    attachments: stdin.kind === "bytes" ? [{ content: Uint8Array.from(stdin.bytes), ownerUid: 0 }] : [],
  };
}

/** Returns the scripts that run lines of sh in the folder of their attachments, up to the first failure. */
export function shScripts(script: string, folder: string, attachments: readonly Attachment[] = []): Scripts {
  return {
    title: script,
    call: bytesOf(`cd ${folder}\nset -eu\n${characters(script)}\n`),
    feed: bytesOf(":"),
    meanwhile: bytesOf(":"),
    attachments,
  };
}

/** Returns the scripts that create files. */
export function placeScripts(items: readonly Placed[], folder: string): Scripts {
  const attachments = items.map((item) =>
    item.kind === "file"
      ? { content: utf8(item.content), ownerUid: item.ownerUid ?? 0 }
      : { content: new Uint8Array(), ownerUid: 0 }
  );
  const script = shScripts("", folder, attachments);
  const title = `put ${items.map(({ path }) => path).join(", ")} in place`;
  return { ...script, title, call: bytesOf(`cd ${folder}\nset -eu\n${items.map(placeLine).join("\n")}\n`) };
}

/** Returns the scripts that read a file: no output without a regular file, else a line feed and its bytes. */
export function readScripts(path: string, folder: string): Scripts {
  const line = `if [ -f ${quote(path)} ]; then echo; cat ${quote(path)}; fi\n`;
  return { ...shScripts("", folder), title: `read ${path}`, call: bytesOf(line) };
}

function feedLine(stdin: Stdin, folder: string): string {
  switch (stdin.kind) {
    case "null":
    case "closed":
    case "empty":
      return ":";
    case "zeros":
      return `exec head -c ${stdin.byteCount} /dev/zero`;
    case "bytes":
      return `exec cat ${folder}/0`;
  }
}

function signalLine({ name, onceExists }: Signal): string {
  return `until [ -e ${quote(onceExists)} ]; do sleep 0.02; done; kill -s ${name} "$pid"`;
}

function placeLine(item: Placed, index: number): string {
  const path = quote(item.path);
  const cleared = `mkdir -p "$(dirname ${path})"; rm -rf ${path}`;
  switch (item.kind) {
    case "file":
      return (item.ownerUid ?? 0) === 0
        ? `${cleared}; cp ${index} ${path}; chmod ${item.mode} ${path}`
        : `${cleared}; : >${path}; mount --bind ${index} ${path}`;
    case "folder":
      return `${cleared}; mkdir ${path}; chmod ${item.mode} ${path}`;
    case "fifo":
      return `${cleared}; mkfifo ${path}; chmod ${item.mode} ${path}`;
    case "link":
      return `${cleared}; ln -s ${quote(item.target)} ${path}`;
  }
}

function quote(word: string | Uint8Array): string {
  return `'${characters(word).replaceAll("'", `'\\''`)}'`;
}

/** Returns one character per byte. */
function characters(word: string | Uint8Array): string {
  return Array.from(utf8(word), (byte) => String.fromCharCode(byte)).join("");
}

function bytesOf(characters: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

function utf8(content: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
}
