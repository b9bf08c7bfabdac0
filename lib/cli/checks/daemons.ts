/**
 * What libvirt's daemons do to the hooks they start, and whether the installed hooks start at all.
 * @module
 */
import type { RunningDaemon } from "../../libvirt/host_version.ts";
import { PRODUCT } from "../../app/product.ts";
import type { CommandResult, Sys } from "../../sys/sys.ts";
import { TOOL_ENVIRONMENT } from "../../sys/tools.ts";
import { checkTrust } from "../../trust/trust.ts";
import type { Finding } from "./finding.ts";

/** Looks at the daemons that run and at the hooks that are installed. Nothing is changed. */
export async function daemonFindings(daemons: readonly RunningDaemon[], sys: Sys): Promise<readonly Finding[]> {
  return [...await environmentFindings(daemons, sys), ...await hookFindings(sys)];
}

/**
 * Deno's runtime joins TMPDIR and the name of the program to the URL of its main module: what is no absolute path, or climbs
 * with `..`, ends it before any code of ours runs.
 */
async function environmentFindings(daemons: readonly RunningDaemon[], sys: Sys): Promise<readonly Finding[]> {
  if (daemons.length === 0) {
    return [{ level: "skip", text: "no daemon of libvirt runs, so its environment is unknown" }];
  }
  const pathOf = ({ pid }: RunningDaemon): string => `/proc/${pid}/environ`;
  const environments = await sys.kernel.read(daemons.map(pathOf));
  return daemons.map((daemon): Finding => {
    const name = `${daemon.name} (${daemon.pid})`;
    const environment = environments.get(pathOf(daemon));
    if (environment === undefined) return { level: "skip", text: `the environment of ${name} cannot be read` };
    const value = environment.split("\0").find((entry) => entry.startsWith("TMPDIR="))?.slice("TMPDIR=".length);
    if (value === undefined || isUsable(value)) {
      return { level: "ok", text: `the environment of ${name} lets hooks start` };
    }
    return {
      level: "fail",
      text: `${name} hands TMPDIR=${JSON.stringify(value)} to its hooks: every hook fails, and guests do not start`,
      advice: "give the daemon an absolute TMPDIR without .., or none, and restart it",
    };
  });
}

function isUsable(directory: string): boolean {
  return directory.startsWith("/") && !directory.split("/").includes("..");
}

/** What install.sh made: it tells which hooks are ours. */
const RECORD = "/var/lib/virt-hooks/install/record";
const RECORD_BYTES_MAX = 65_536;
const START_MS = 10_000;
const OUTPUT_BYTES_MAX = 4_096;
/** A hook without arguments tells its usage. */
const USAGE_CODE = 2;

async function hookFindings(sys: Sys): Promise<readonly Finding[]> {
  const paths = await installedHooks(sys);
  if (typeof paths === "string") {
    return [{ level: "skip", text: `the hooks were not started: ${paths}, which tells which are ours` }];
  }
  const findings: Finding[] = [];
  for (const path of paths) findings.push(await hookFinding(path, sys));
  return findings;
}

/** The hooks in the record, or why it does not tell: `file SHA256 hook:DRIVER PATH` */
async function installedHooks(sys: Sys): Promise<readonly string[] | string> {
  const trust = await checkTrust(RECORD, sys);
  if (trust.kind === "missing") return `there is no ${RECORD}`;
  if (trust.kind === "untrusted") return `${trust.reason}, and with it ${RECORD}`;
  if (trust.facts.kind !== "file") return `${RECORD} is not a regular file`;
  try {
    return sys.readTextFile(RECORD, RECORD_BYTES_MAX).split("\n")
      .flatMap((line) => /^file \S+ hook:\w+ (\/.*)$/.exec(line)?.slice(1) ?? []);
  } catch {
    return `${RECORD} cannot be read`;
  }
}

/** Starts a hook as libvirt does, but without arguments. */
async function hookFinding(path: string, sys: Sys): Promise<Finding> {
  const trust = await checkTrust(path, sys);
  if (trust.kind !== "trusted") {
    const text = trust.kind === "missing" ? `there is no ${trust.path}` : trust.reason;
    return { level: "fail", text: `the hook ${path} was not started: ${text}`, advice: "run install.sh again" };
  }
  const result = await sys.run({
    ...{ argv: [path], environment: TOOL_ENVIRONMENT, stdin: undefined },
    ...{ timeoutMs: START_MS, outputBytesMax: OUTPUT_BYTES_MAX },
  });
  const { end, stderr } = result;
  if (end.kind === "exited" && end.code === USAGE_CODE && stderr.startsWith(PRODUCT)) {
    return { level: "ok", text: `${path} starts` };
  }
  const text = `the hook ${path} does not start: ${endText(result)}`;
  return { level: "fail", text, advice: "run install.sh again: it names the likely cause" };
}

function endText({ end, stderr }: CommandResult): string {
  const [said = ""] = stderr.trim().split("\n");
  const output = said === "" ? "" : `: ${said}`;
  switch (end.kind) {
    case "exited":
      return `it ends with ${end.code}${output}`;
    case "signalled":
    case "interrupted":
      return `it is ended by ${end.signal}${output}`;
    case "timed-out":
      return `it does not end within ${START_MS / 1000} s`;
    case "not-started":
      return end.reason;
    default:
      return end satisfies never;
  }
}
