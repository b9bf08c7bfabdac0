/**
 * Ports forwarded while a guest runs, against the script that everybody has: three iptables calls a port.
 * @module
 */
import type { Case } from "./cases.ts";

const ADDRESS = "192.168.77.10";
/** Of the guests that are there already. */
const OTHERS = "192.168.77.11";
const OTHERS_RULE = "others";

const NETWORK = `<networkstatus>
  <network>
    <name>lab</name>
    <uuid>b26a2e0f-6f0d-4f0e-9a4c-6a1f60c2d7e3</uuid>
    <forward mode='nat'/>
    <bridge name='virbr1' stp='on' delay='0'/>
    <ip address='192.168.77.1' netmask='255.255.255.0'>
      <dhcp>
        <range start='192.168.77.2' end='192.168.77.254'/>
        <host mac='52:54:00:6b:3c:58' ip='${ADDRESS}'/>
      </dhcp>
    </ip>
  </network>
</networkstatus>
`;

/** A bridge, and a chain by which libvirt rejects what comes from outside. */
const HOST = `
ip link set lo up
ip link add virbr1 type bridge 2>/dev/null && ip address add 192.168.77.1/24 dev virbr1 && ip link set virbr1 up
iptables -w -S LIBVIRT_FWI >/dev/null 2>&1 || {
  iptables -w -N LIBVIRT_FWI
  iptables -w -A LIBVIRT_FWI -o virbr1 -j REJECT
  iptables -w -A FORWARD -j LIBVIRT_FWI
}
`;

interface Forwards {
  readonly name: string;
  readonly count: number;
  readonly goal: number | undefined;
  /** How many are there before, of another guest. */
  readonly others?: number;
  readonly roundShare?: number;
}

function forwardCase({ name, count, goal, others = 0, roundShare = 1 }: Forwards): Case {
  return {
    name,
    goal,
    comparedWith: "bash",
    roundShare,
    exitCode: 0,
    operation: "started",
    undo: "stopped",
    moreDisks: 0,
    rules: rule("web", "web-*", { first: 20_000, count }) +
      (others === 0 ? "" : rule(OTHERS_RULE, "other-*", { first: 30_000, count: others, to: OTHERS })),
    bash: script(count),
    python: "",
    files: { "/run/libvirt/network/lab.xml": NETWORK },
    setUp: others === 0 ? HOST : `${HOST}${hookOfOther("started", "begin")}`,
    ...(others === 0 ? {} : { takeDown: hookOfOther("stopped", "end") }),
  };
}

/** A guest like the one that is measured, but for its name and UUID. */
function hookOfOther(operation: string, subOperation: string): string {
  const other = "s/web-1/other-1/; s/(<uuid>.*).{4}(<.uuid>)/\\1ffff\\2/";
  return `sed -E '${other}' /bench/guest.xml | /etc/libvirt/hooks/qemu other-1 ${operation} ${subOperation} -\n`;
}

interface Ports {
  readonly first: number;
  readonly count: number;
  readonly to?: string;
}

function rule(name: string, domain: string, { first, count, to }: Ports): string {
  const forwards = portsFrom(first, count).map((port) =>
    `  { host_port = ${port}, guest_port = ${port - first + 1}${to === undefined ? "" : `, to = "${to}"`} },\n`
  );
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "${domain}" }\nforward = [\n${forwards.join("")}]\n`;
}

function portsFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

function script(count: number): string {
  return `#!/bin/bash
IFS= read -r -d '' document
printf '%(%FT%TZ)T qemu %s %s\\n' -1 "$1" "$2" >>/var/log/bench-bash.log
[[ $1 == web-* ]] || exit 0
case $2 in
  started) insert=-I ;;
  stopped) insert=-D ;;
  *) exit 0 ;;
esac
for ((port = 1; port <= ${count}; port++)); do
  host_port=$((19999 + port))
  /usr/sbin/iptables -t nat $insert PREROUTING -p tcp --dport $host_port -j DNAT --to-destination ${ADDRESS}:$port || exit
  /usr/sbin/iptables -t nat $insert OUTPUT -p tcp --dport $host_port -m addrtype --dst-type LOCAL -j DNAT --to-destination ${ADDRESS}:$port || exit
  /usr/sbin/iptables $insert FORWARD -o virbr1 -p tcp -d ${ADDRESS} --dport $port -j ACCEPT || exit
done
`;
}

/** The cases. In a private root the kernel takes no transaction of a thousand: its buffers are not root's to enlarge. */
export const FORWARD_CASES: readonly Case[] = [
  forwardCase({ name: "10 forwards, the first on the host", count: 10, goal: 0.7 }),
  forwardCase({ name: "10 forwards beside one", count: 10, goal: 0.7, others: 1 }),
  forwardCase({ name: "100 forwards beside one", count: 100, goal: 0.15, others: 1, roundShare: 3 }),
  forwardCase({ name: "10 forwards beside 100", count: 10, goal: 0.7, others: 100 }),
];
