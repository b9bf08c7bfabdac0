import { undoAdvice } from "../../lib/cli/checks/undo_advice.ts";
import { assertEquals } from "../support/assert.ts";

const NFT_GONE = '"add table FAMILY NAME; delete table FAMILY NAME" as the one argument of nft';

interface Case {
  readonly undo: string;
  readonly advice: string | undefined;
  readonly makes?: true;
}

const CASES: readonly Case[] = [
  { undo: "/usr/sbin/iptables -w -D FORWARD -j ACCEPT", advice: `a table of your own, and ${NFT_GONE}` },
  { undo: "/usr/sbin/ip6tables-nft -w --delete FORWARD -j ACCEPT", advice: `a table of your own, and ${NFT_GONE}` },
  { undo: "/usr/sbin/iptables -w -F MINE", advice: undefined },
  { undo: "/usr/sbin/nft delete table ip mine", advice: NFT_GONE },
  { undo: "/usr/sbin/nft add table ip mine; delete table ip mine", advice: undefined },
  { undo: "/usr/sbin/nft destroy table ip mine", advice: undefined },
  { undo: "/usr/sbin/nft -f /etc/mine.nft", advice: undefined },
  { undo: "/usr/sbin/ip link del br9", advice: "" },
  { undo: "/usr/sbin/ip link set br9 down", advice: undefined },
  { undo: "/usr/bin/umount /srv/x", advice: "" },
  { undo: "/usr/bin/rmdir /srv/x", advice: "rm -df" },
  { undo: "/usr/bin/rm /srv/x", advice: "rm -f" },
  { undo: "/usr/bin/rm -r /srv/x", advice: "rm -f" },
  { undo: "/usr/bin/rm -rf /srv/x", advice: undefined },
  { undo: "/usr/bin/rm --force /srv/x", advice: undefined },
  { undo: "/usr/bin/kill 12", advice: "" },
  { undo: "/usr/bin/ovs-vsctl del-port br0 p1", advice: "--if-exists" },
  { undo: "/usr/bin/ovs-vsctl --if-exists del-port br0 p1", advice: undefined },
  { undo: "/usr/sbin/ipset -exist del a b", advice: undefined },
  { undo: "/usr/sbin/ipset del a b", advice: "ipset -exist del" },
  { undo: "/usr/sbin/rmmod kvm", advice: "modprobe -r" },
  { undo: "/usr/bin/mkdir /srv/x", advice: "mkdir -p", makes: true },
  { undo: "/usr/bin/mount /srv/x", advice: 'services = { stop = ["….mount"] } instead of the run', makes: true },
  { undo: "/usr/bin/mount -a", advice: undefined },
  { undo: "/usr/bin/mount -o remount,rw /srv/x", advice: undefined },
  { undo: "/usr/sbin/swapon -a", advice: undefined },
  { undo: "/usr/sbin/swapon /dev/sdb2", advice: 'services = { stop = ["….swap"] } instead of the run', makes: true },
  { undo: "/usr/sbin/ip route add default via 10.0.0.1", advice: '"replace" instead of "add"', makes: true },
  { undo: "/usr/sbin/ip route replace default via 10.0.0.1", advice: undefined },
  { undo: "/usr/sbin/ip link add br9 type bridge", advice: "", makes: true },
  { undo: "/usr/local/bin/record stop", advice: undefined },
];

Deno.test("undoAdvice() reads the commands of nft in one argument", () => {
  assertEquals(undoAdvice(["/usr/sbin/nft", "delete table ip mine"])?.when, "what it undoes is gone");
  assertEquals(undoAdvice(["/usr/sbin/nft", "add table ip mine; delete table ip mine"]), undefined);
});

for (const { undo, advice, makes } of CASES) {
  Deno.test(`undoAdvice() of ${undo}: ${advice === undefined ? "none" : advice || "only undo_error"}`, () => {
    const lenient = 'write undo_error = "continue"';
    const when = makes ? "what it makes is there already, as after a program that failed" : "what it undoes is gone";
    const expected = { when, advice: advice === "" ? lenient : `use ${advice}, or ${lenient}` };
    assertEquals(undoAdvice(undo.split(" ")), advice === undefined ? undefined : expected);
  });
}
