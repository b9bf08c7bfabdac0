/**
 * libxml2 as the judge: its program `xmllint`, asked what it makes of documents and paths.
 * @module
 */

const PACKAGE = "Debian: libxml2-utils, Fedora: libxml2";

/** Whether `xmllint` can be asked. On a build server it must be there. */
export function hasXmllint(): boolean {
  try {
    return new Deno.Command("xmllint", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (Deno.env.get("CI") === "true") throw new Error(`Cannot test against libxml2: no xmllint (${PACKAGE})`);
    return false;
  }
}

/** Registers a test that needs `xmllint`; without it the test is ignored, and its name says why. */
export function xmllintTest(name: string, run: () => void | Promise<void>): void {
  const ignore = !hasXmllint();
  Deno.test({ name: ignore ? `${name} (IGNORED: there is no xmllint here; ${PACKAGE})` : name, ignore, fn: run });
}

/** The numbers of those texts that libxml2 finds fault with, and what it says of them. */
export async function findFaults(texts: readonly (string | Uint8Array)[]): Promise<ReadonlyMap<number, string>> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [index, text] of texts.entries()) {
      await Deno.writeFile(`${folder}/${index}.xml`, typeof text === "string" ? new TextEncoder().encode(text) : text);
    }
    const { stderr } = await new Deno.Command("xmllint", {
      args: ["--nonet", "--noout", ...texts.keys().map((index) => `${index}.xml`)],
      cwd: folder,
    }).output();
    const faults = new Map<number, string>();
    for (
      const [, file = "", message = ""] of new TextDecoder().decode(stderr).matchAll(/^([0-9]+)\.xml:[0-9]+: (.*)/gm)
    ) {
      // Those are remarks about what XML allows, or about namespaces: libxml2 reads on, and so does libvirt.
      if (!/warning :|^namespace error :|is not a valid URI$/.test(message)) faults.set(Number(file), message);
    }
    return faults;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * What each of the paths selects in a document, one line a node: elements by their attribute `i`, attributes by name and
 * value, texts by their beginning.
 */
export async function selectByLibxml2(
  text: string,
  paths: readonly string[],
  namespaces: Readonly<Record<string, string>>,
): Promise<readonly (readonly string[])[]> {
  const file = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    await Deno.writeTextFile(file, text);
    const process = new Deno.Command("xmllint", {
      args: ["--nonet", "--shell", file],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const declarations = Object.entries(namespaces).map(([prefix, uri]) => `setns ${prefix}=${uri}\n`);
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode([...declarations, ...paths.map((path) => `xpath ${path}\n`)].join("")));
    await writer.close();
    const { stdout, stderr } = await process.output();
    const answers = new TextDecoder().decode(stdout).split("/ > ").slice(1 + declarations.length);
    const problem = new TextDecoder().decode(stderr);
    if (answers.length !== paths.length + 1 || /\b(?:parser|XPath) error :/.test(problem)) {
      throw new Error(`Cannot ask xmllint: ${answers.length - 1} answers to ${paths.length} paths: ${problem}`);
    }
    return answers.slice(0, paths.length).map(readAnswer);
  } finally {
    await Deno.remove(file);
  }
}

function readAnswer(answer: string): readonly string[] {
  if (!answer.startsWith("Object is a Node Set")) throw new Error(`Cannot read the answer of xmllint: ${answer}`);
  const nodes = answer.split(/^[0-9]+ {2}/m).slice(1).filter((node) => node !== " /\n");
  return nodes.map((node) => {
    const [, kind, name] = /^([A-Z_]+) ?(.*)/.exec(node) ?? [];
    switch (kind) {
      case "ELEMENT":
        return `element ${/^ {4}ATTRIBUTE i\n {6}TEXT\n {8}content=(.*)/m.exec(node)?.[1]}`;
      case "ATTRIBUTE":
        return `attribute ${name}=${/content=(.*)/.exec(node)?.[1] ?? ""}`;
      case "TEXT":
      case "CDATA_SECTION":
        return `text ${/content=(.*)/.exec(node)?.[1] ?? ""}`;
      default:
        throw new Error(`Cannot read the answer of xmllint: ${node}`);
    }
  });
}
