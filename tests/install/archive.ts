/**
 * A release archive with stand-ins: small scripts that answer like the real binaries when they are started without
 * arguments, and exit 0 when they are called as hooks. install.sh treats them as it treats the real ones.
 * @module
 */

export const DRIVERS = ["daemon", "qemu", "lxc", "libxl", "network"] as const;

interface Options {
  readonly version: string;
  /** Replaces the body of one file, before the checksums are made. */
  readonly replace?: Readonly<Record<string, string>>;
}

function hookScript(driver: string, version: string): string {
  return `#!/bin/sh
# ${driver} ${version}
if [ $# -ne 4 ]; then
  echo "this is the ${driver} hook of virt-hooks ${version}" >&2
  exit 2
fi
`;
}

function adminScript(version: string): string {
  return `#!/bin/sh\nif [ "$1" = version ]; then echo "virt-hooks ${version}"; else exit 2; fi\n`;
}

/** Makes an archive in `folder`, complete with checksums. */
export async function makeArchive(folder: string, { version, replace = {} }: Options): Promise<void> {
  await Deno.mkdir(`${folder}/hooks`, { recursive: true });
  const files: Record<string, string> = {
    VERSION: `${version}\n`,
    "install.sh": await Deno.readTextFile(new URL("../../install.sh", import.meta.url)),
    "virt-hooks": adminScript(version),
    ...Object.fromEntries(DRIVERS.map((driver) => [`hooks/${driver}`, hookScript(driver, version)])),
    ...replace,
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    await Deno.chmod(`${folder}/${name}`, name === "VERSION" ? 0o644 : 0o755);
  }
  await sealArchive(folder, Object.keys(files));
}

/** Writes SHA256SUMS over `names`. */
export async function sealArchive(folder: string, names: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sha256(`${folder}/${name}`)}  ${name}\n`);
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join(""));
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
