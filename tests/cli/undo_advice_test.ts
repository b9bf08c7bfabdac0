import { undoAdvice } from "../../lib/cli/checks/undo_advice.ts";
import { assertEquals } from "../support/assert.ts";

const CASES: readonly { readonly undo: string; readonly advice: string | undefined }[] = [
  { undo: "/usr/sbin/iptables -w -D FORWARD -j ACCEPT", advice: "a table of your own that nft destroys" },
  { undo: "/usr/sbin/ip6tables-nft -w --delete FORWARD -j ACCEPT", advice: "a table of your own that nft destroys" },
  { undo: "/usr/sbin/iptables -w -F MINE", advice: undefined },
  { undo: "/usr/sbin/nft delete table ip mine", advice: '"destroy" instead of "delete" (nft 1.0.8, Linux 6.3)' },
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
  { undo: "/usr/local/bin/record stop", advice: undefined },
];

for (const { undo, advice } of CASES) {
  Deno.test(`undoAdvice() of ${undo}: ${advice === undefined ? "none" : advice || "only undo_error"}`, () => {
    const lenient = 'write undo_error = "continue"';
    const expected = advice === undefined ? undefined : advice === "" ? lenient : `use ${advice}, or ${lenient}`;
    assertEquals(undoAdvice(undo.split(" ")), expected);
  });
}
