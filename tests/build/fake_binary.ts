/**
 * Small files that look like what Deno makes, written by hand from the layouts in `build/target.ts` and
 * `build/trailer.ts`.
 * @module
 */

const X86_64 = 62;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;

/** The text that identifies a denort without a program. */
export const BARE_DENORT = "Could not find standalone binary section";

/** A 64-bit ELF file: header, `text`, and a table of one section at its end. */
export function fakeElf({ machine = X86_64, text = "" } = {}): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(HEADER_BYTES + body.length + SECTION_BYTES);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.set(body, HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x12, machine, true);
  view.setBigUint64(0x28, BigInt(HEADER_BYTES + body.length), true);
  view.setUint16(0x3a, SECTION_BYTES, true);
  view.setUint16(0x3c, 1, true);
  return bytes;
}

/** Settings as `deno compile` bakes them for a hook, as far as the build looks at them. */
export const HOOK_SETTINGS = {
  argv: [],
  seed: null,
  code_cache_key: null,
  permissions: {
    allow_env: null,
    deny_env: [],
    allow_net: null,
    deny_net: [],
    allow_ffi: null,
    deny_ffi: [],
    allow_read: [],
    deny_read: null,
    allow_run: [],
    deny_run: null,
    allow_sys: ["uid", "hostname"],
    allow_write: ["/var/log/virt-hooks", "/run/virt-hooks"],
    allow_import: ["example.org:443"],
    deny_import: [],
    prompt: false,
  },
  v8_flags: ["UNUSED_BUT_NECESSARY_ARG0", "--jitless", "--single-threaded", "--max-old-space-size=256"],
  ca_data: null,
  unsafely_ignore_certificate_errors: null,
  env_vars_from_env_file: {},
  workspace_resolver: { import_map: null, package_jsons: {} },
  entrypoint_key: "qemu.js",
  node_modules: null,
  otel_config: { tracing_enabled: false, metrics_enabled: false },
} as const;

/** What a fake compiled program carries. */
export interface FakeProgram {
  readonly settings?: unknown;
  /** The tree of embedded files. */
  readonly tree?: unknown;
  /** Their contents. */
  readonly data?: string;
  /** The counts of npm packages and remote modules: 20 zero bytes in a binary of virt-hooks. */
  readonly packages?: Uint8Array;
  readonly machine?: number;
  /** What follows the trailer. */
  readonly after?: string;
}

/** A runtime with a trailer glued to it. */
export function fakeProgram(program: FakeProgram = {}): Uint8Array<ArrayBuffer> {
  const magic = new TextEncoder().encode("d3n0l4nd");
  return concat([
    // The runtime holds the magic word as well.
    fakeElf({ machine: program.machine ?? X86_64, text: "d3n0l4nd and other words" }),
    magic,
    section(JSON.stringify(program.settings ?? HOOK_SETTINGS)),
    program.packages ?? new Uint8Array(20),
    section(JSON.stringify(program.tree ?? [{ File: { n: "qemu.js", o: [0, 2] } }])),
    section(program.data ?? "1;"),
    magic,
    new TextEncoder().encode(program.after ?? ""),
  ]);
}

function section(text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(body.length), true);
  bytes.set(body, 8);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
