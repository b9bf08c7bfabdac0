/**
 * Starting and ending the libvirt daemon of a node.
 * @module
 */
import type { Node } from "./node.ts";
import { until } from "./until.ts";

const NODE_SH = new URL("./node.sh", import.meta.url).pathname;
const PID_FILE = "/run/libvirtd.pid";
/** A daemon whose hook hangs is forced to end after 30 s. */
const END_MS = 45_000;

type Runner = Pick<Node, "sh" | "run" | "libvirtdLog">;

/** The daemon's pid inside the node, or `undefined` when none runs. */
export async function libvirtdPid(node: Pick<Node, "run">): Promise<number | undefined> {
  const found = await node.run(["sh", "-c", `p=$(cat ${PID_FILE}) && kill -0 "$p" && echo "$p"`]);
  return found.code === 0 ? Number(found.stdout) : undefined;
}

async function answers(node: Runner, uri: string): Promise<boolean> {
  return (await node.run(["virsh", "-q", "-c", uri, "uri"])).code === 0;
}

/** Starts libvirtd and the log daemon it needs; returns when both drivers answer. */
export async function startLibvirtd(node: Runner): Promise<void> {
  if ((await node.run(["sh", "-c", "kill -0 $(cat /run/virtlogd.pid)"])).code !== 0) {
    await node.sh(["sh", NODE_SH, "--join", "virtlogd", "-d"]);
  }
  await node.sh(["sh", NODE_SH, "--join", "libvirtd", "-d"]);
  await until("libvirtd's drivers", async () => {
    return await answers(node, "lxc:///system") && await answers(node, "qemu:///system");
  });
}

/** Sends the daemon a signal that ends it, and waits for its end. */
export async function endLibvirtd(node: Runner, signal: "TERM" | "KILL"): Promise<void> {
  const pid = await libvirtdPid(node);
  if (pid === undefined) throw new Error("Cannot end libvirtd: it does not run");
  await node.sh(["kill", `-${signal}`, String(pid)]);
  await until("libvirtd's end", async () => (await node.run(["kill", "-0", String(pid)])).code !== 0, END_MS);
}

function count(text: string, words: string): number {
  return text.split(words).length - 1;
}

/** Sends SIGHUP until the daemon has taken one: it drops those that come while its drivers are being set up. */
export async function reloadLibvirtd(node: Runner): Promise<void> {
  const pid = await libvirtdPid(node);
  if (pid === undefined) throw new Error("Cannot reload libvirtd: it does not run");
  const taken = count(await node.libvirtdLog(), "Reloading configuration on SIGHUP");
  await until("libvirtd to take a SIGHUP", async () => {
    const dropped = count(await node.libvirtdLog(), "reload ignored");
    await node.sh(["kill", "-HUP", String(pid)]);
    return await until("an answer to SIGHUP in libvirtd's log", async () => {
      const log = await node.libvirtdLog();
      if (count(log, "Reloading configuration on SIGHUP") > taken) return "taken";
      return count(log, "reload ignored") > dropped ? "dropped" : undefined;
    }) === "taken";
  });
}
