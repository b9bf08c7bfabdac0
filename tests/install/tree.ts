/**
 * A folder as text: every entry with its type, mode, owner and content, so that two moments can be compared whole.
 * @module
 */
import { sha256 } from "./archive.ts";

interface Options {
  /** Also note when each file was last written. */
  readonly times?: boolean;
}

/** Lists everything below `folder`, one line an entry, in name order. */
export async function listTree(folder: string, options: Options = {}): Promise<string> {
  const lines = await listFolder(folder, "", options);
  return lines.join("\n");
}

async function listFolder(root: string, below: string, options: Options): Promise<string[]> {
  const lines: string[] = [];
  const entries = [...Deno.readDirSync(`${root}/${below}`)].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${below}${entry.name}`;
    const info = await Deno.lstat(`${root}/${path}`);
    const facts = [path, (info.mode ?? 0).toString(8), `${info.uid}:${info.gid}`];
    if (info.isFile) facts.push(await sha256(`${root}/${path}`));
    if (info.isSymlink) facts.push(await Deno.readLink(`${root}/${path}`));
    if (options.times) facts.push(`${info.mtime?.getTime()}`);
    lines.push(facts.join(" "));
    if (info.isDirectory) lines.push(...await listFolder(root, `${path}/`, options));
  }
  return lines;
}

/** The files that libvirt could run: every executable regular file below `folder`, links followed. */
export function listExecutables(folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    try {
      const info = Deno.statSync(path);
      if (info.isDirectory) found.push(...listExecutables(path));
      else if (info.isFile && ((info.mode ?? 0) & 0o111) !== 0) found.push(path);
    } catch (error) {
      // It went between the listing and the look: then libvirt would not have run it either.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}
