/**
 * What stands in the demo's private root: the compiled programs, the rules of `examples/`, and the programs they name.
 * @module
 */
import type { BuiltTarget } from "../../build/build.ts";
import { type Bind, forOwnShell, type Placed } from "../../tests/support/private_root.ts";

/** The documents libvirt sends with a call, as files of this folder. */
export type Document = "guest.xml" | "guest_running.xml" | "network.xml" | "network_port.xml";

/** Where the admin command is shown. */
export const COMMAND_PATH = "/opt/virt-hooks/virt-hooks";

/** Where the rules name programs, and where they are in the private root: its /usr is this machine's, untouched. */
const REAL_PROGRAMS = /\/usr\/(?:local\/)?s?bin\//g;
const DEMO_PROGRAMS = "/opt/demo/";

const HERE = decodeURIComponent(new URL("./", import.meta.url).pathname);
const EXAMPLES = decodeURIComponent(new URL("../", import.meta.url).pathname);
const DRIVERS = ["daemon", "qemu", "lxc", "libxl", "network"] as const;

/** Where the private root shows the compiled programs. */
export function programBinds(built: BuiltTarget): readonly Bind[] {
  return [
    ...DRIVERS.map((name) => ({ from: `${built.folder}/hooks/${name}`, at: `/etc/libvirt/hooks/${name}` })),
    { from: `${built.folder}/virt-hooks`, at: COMMAND_PATH },
  ];
}

/** The names of the rules files in `examples/`, in order. */
export function exampleNames(): readonly string[] {
  return Array.from(Deno.readDirSync(EXAMPLES), ({ name }) => name).filter((name) => name.endsWith(".toml")).toSorted();
}

/** A rules file of `examples/` as it is. */
export function exampleText(name: string): string {
  return Deno.readTextFileSync(EXAMPLES + name);
}

/** A rules file of `examples/`, its programs taken from the demo's folder. */
export function stagedExample(name: string): Placed {
  return stagedRules(name, exampleText(name).replaceAll(REAL_PROGRAMS, DEMO_PROGRAMS));
}

/** A rules file in its place. */
export function stagedRules(name: string, text: string): Placed {
  return { kind: "file", path: `/etc/virt-hooks/rules.d/${name}`, mode: "0644", content: text };
}

/** Everything that stands there when the curtain rises. */
export function stagedFiles(): readonly Placed[] {
  const programs = Array.from(Deno.readDirSync(`${HERE}programs`), ({ name }): Placed => {
    return {
      kind: "file",
      path: DEMO_PROGRAMS + name,
      mode: "0755",
      content: forOwnShell(Deno.readFileSync(`${HERE}programs/${name}`)),
    };
  });
  return [
    { kind: "folder", path: "/etc/virt-hooks/rules.d", mode: "0755" },
    { kind: "folder", path: "/srv/images", mode: "0755" },
    ...exampleNames().map(stagedExample),
    ...programs,
  ];
}

/** A document about `object`, which the files call web-1. */
export function documentText(document: Document, object: string): string {
  const text = Deno.readTextFileSync(HERE + document);
  return document.startsWith("guest") ? text.replaceAll("web-1", object).replace(/<uuid>\w{8}/, uuidOf(object)) : text;
}

/** The file in which libvirt keeps that a guest runs. */
export function stagedStatus(object: string): Placed {
  const content = `<domstatus state="running">\n${documentText("guest_running.xml", object)}</domstatus>\n`;
  return { kind: "file", path: `/run/libvirt/qemu/${object}.xml`, mode: "0600", content };
}

/** Guests are told apart by their UUIDs. */
function uuidOf(object: string): string {
  const sum = [...object].reduce((total, character) => total * 31 + (character.codePointAt(0) ?? 0), 7);
  return `<uuid>${(sum % 0x100000000).toString(16).padStart(8, "0")}`;
}
