/**
 * PCI devices handed over and back by the compiled hook, in front of a kernel that means it.
 * @module
 */
import type { Play } from "./guest.ts";

/** What is done, and what it must print. */
export interface Step extends Play {
  readonly want: string | RegExp;
}

const NIC = "0000:00:03.0";

/** In order: each begins where the one before has left the host. */
export const STEPS: readonly Step[] = [
  {
    name: "the host drives its devices",
    script: "modprobe e1000; modprobe nvme; until_true test -e /dev/nvme0n1; state 03.0 05.0 05.1 06.0 01.0",
    want: "03.0 e1000 (null)\n05.0 e1000 (null)\n05.1 e1000 (null)\n06.0 nvme (null)\n01.0 none (null)\n",
  },
  {
    name: "a driver that nobody loads is refused before anything is touched",
    script: `hook prepare nic "$(xml no 03.0)"; state 03.0; held`,
    want:
      /the driver vfio-pci is not loaded\nhint: .*modules = \{ load = \["vfio-pci"\] \}\nprepare 4\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a NIC goes to vfio-pci and comes back",
    script: `modprobe vfio-pci; modprobe vfio_iommu_type1
hook prepare nic "$(xml no 03.0)"; state 03.0; ls -1 /dev/vfio; hook release nic; state 03.0; held`,
    want: "prepare 0\n03.0 vfio-pci vfio-pci\n2\nvfio\nrelease 0\n03.0 e1000 (null)\nheld: 0\n",
  },
  {
    name: "half an IOMMU group is refused",
    script: `hook prepare half "$(xml no 05.0)"; state 05.0 05.1; held`,
    want:
      /0000:00:05\.0 is in IOMMU group 3 with 0000:00:05\.1 \(e1000\).*\n.*\nprepare 4\n05\.0 e1000 \(null\)\n05\.1 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "all of an IOMMU group goes",
    script: `hook prepare pair "$(xml no 05.0 05.1)"; state 05.0 05.1; hook release pair; state 05.0 05.1; held`,
    want:
      "prepare 0\n05.0 vfio-pci vfio-pci\n05.1 vfio-pci vfio-pci\nrelease 0\n05.0 e1000 (null)\n05.1 e1000 (null)\nheld: 0\n",
  },
  {
    name: "a NIC that carries routes is refused",
    script: `nic=$(ls /sys/bus/pci/devices/${NIC}/net); ifconfig $nic 192.0.2.1 netmask 255.255.255.0 up
hook prepare nic "$(xml no 03.0)"; ifconfig $nic 0.0.0.0 down; state 03.0`,
    want: /0000:00:03\.0 is in use: eth0 carries routes of the host\n.*\nprepare 4\n03\.0 e1000 \(null\)\n$/,
  },
  {
    name: "a disk that is swap, mounted or open is refused, and who uses it is told",
    script:
      `mkswap /dev/nvme0n1 >/dev/null; swapon /dev/nvme0n1; hook prepare disk "$(xml no 06.0)"; swapoff /dev/nvme0n1
modprobe crc32c_generic; modprobe ext4; mke2fs /dev/nvme0n1 >/dev/null; mount -t ext2 /dev/nvme0n1 /mnt; hook prepare disk "$(xml no 06.0)"; umount /mnt
sleep 100 3</dev/nvme0n1 & hook prepare disk "$(xml no 06.0)"; kill $!; state 06.0`,
    want:
      /nvme0n1 is swap\n.*\nprepare 4\n.*nvme0n1 is mounted on \/mnt\n.*\nprepare 4\n.*sleep \(\d+\) has \/dev\/nvme0n1 open\n.*\nprepare 4\n06\.0 nvme \(null\)\n$/,
  },
  {
    name: "programs are ended where the rule says so, also one that will not hear",
    script: `sleep 100 3</dev/nvme0n1 & a=$!; (trap '' TERM; exec sleep 100 3</dev/nvme0n1) & b=$!
hook prepare disk-stop "$(xml no 06.0)"; state 06.0; wait $a; echo $?; wait $b; echo $?
hook release disk-stop; state 06.0; until_true test -e /dev/nvme0n1; held`,
    want: "prepare 0\n06.0 vfio-pci vfio-pci\n143\n137\nrelease 0\n06.0 nvme (null)\nheld: 0\n",
  },
  {
    name: "a mounted file system is kept, whatever the rule says",
    script: `mount -t ext2 /dev/nvme0n1 /mnt; hook prepare disk-stop "$(xml no 06.0)"; umount /mnt; state 06.0`,
    want: /is mounted on \/mnt\n.*\nprepare 4\n06\.0 nvme \(null\)\n$/,
  },
  {
    name: "a hook killed between two drivers: the release mends it",
    script: `kill_hook_at /sys/bus/pci/drivers/vfio-pci/bind; hook prepare nic "$(xml no 03.0)"; state 03.0
hook release nic; state 03.0; held`,
    want: /prepare 137\n03\.0 none vfio-pci\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a hook killed before the driver let go: the release mends it",
    script: `kill_hook_at $E1000/unbind; hook prepare nic "$(xml no 03.0)"; state 03.0
hook release nic; state 03.0; held`,
    want: /prepare 137\n03\.0 e1000 vfio-pci\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a hook killed while it gave back: the next life mends it",
    script: `hook prepare nic "$(xml no 03.0)"; kill_hook_at $E1000/bind; hook release nic; state 03.0
hook prepare nic "$(xml no 03.0)"; state 03.0; hook release nic; state 03.0; held`,
    want:
      /prepare 0\n(.*\n)?release 137\n03\.0 none \(null\)\nprepare 0\n03\.0 vfio-pci vfio-pci\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a device that another guest has is refused, and waited for at its release",
    script: `hook prepare nic "$(xml no 03.0)"; sleep 100 3</dev/vfio/2 &
hook prepare other "$(xml no 03.0)"; (usleep 3000000; kill $!) & hook release nic; state 03.0; held`,
    want:
      /prepare 0\n.*0000:00:03\.0 is in use: sleep \(\d+\) has \/dev\/vfio\/2 open\n.*\nprepare 4\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "two guests, one device: the second is refused, and both are named",
    script:
      `hook prepare nic "$(xml no 03.0)"; hook prepare other "$(xml no 03.0)"; state 03.0; hook release nic; state 03.0`,
    want:
      /guest "nic" .*guest "other" .*\n(.*\n)?prepare 4\n03\.0 vfio-pci vfio-pci\nrelease 0\n03\.0 e1000 \(null\)\n$/,
  },
  {
    name: "a device that was pulled out counts as given back",
    script: `hook prepare nic "$(xml no 03.0)"; echo 1 >/sys/bus/pci/devices/${NIC}/remove; hook release nic; held
echo 1 >/sys/bus/pci/rescan; until_true test -e $E1000/${NIC}; state 03.0`,
    want: "prepare 0\nrelease 0\nheld: 0\n03.0 e1000 (null)\n",
  },
  {
    name: "a device that had vfio-pci before keeps it",
    script: `echo vfio-pci >/sys/bus/pci/devices/${NIC}/driver_override; echo ${NIC} >$E1000/unbind
echo ${NIC} >/sys/bus/pci/drivers/vfio-pci/bind; hook prepare nic "$(xml no 03.0)"; hook release nic; state 03.0; held
grep -c 'has the driver vfio-pci already' /var/log/virt-hooks/history.jsonl
echo ${NIC} >/sys/bus/pci/drivers/vfio-pci/unbind; echo >/sys/bus/pci/devices/${NIC}/driver_override
echo ${NIC} >$E1000/bind; state 03.0`,
    want: "prepare 0\nrelease 0\n03.0 vfio-pci vfio-pci\nheld: 0\n1\n03.0 e1000 (null)\n",
  },
  {
    name: "what libvirt manages is left to libvirt, unless it is in use",
    script: `hook prepare managed "$(xml yes 06.0)"; state 06.0; hook release managed
sleep 100 3</dev/nvme0n1 & hook prepare managed "$(xml yes 06.0)"; kill $!; state 06.0; held`,
    want:
      /^prepare 0\n06\.0 nvme \(null\)\nrelease 0\n.*has \/dev\/nvme0n1 open\n.*\nprepare 4\n06\.0 nvme \(null\)\nheld: 0\n$/,
  },
  {
    name: "a driver that was unloaded meanwhile is loaded to give its device back",
    script: `hook prepare nic "$(xml no 03.0)"; modprobe -r e1000; hook release nic; state 03.0; held`,
    want: "prepare 0\nrelease 0\n03.0 e1000 (null)\nheld: 0\n",
  },
  {
    name: "a daemon that comes back finds a device as the guest needs it",
    script: `hook prepare nic "$(xml no 03.0)"; echo ${NIC} >/sys/bus/pci/drivers/vfio-pci/unbind; state 03.0
hook reconnect nic; state 03.0; hook release nic; state 03.0; held`,
    want: "prepare 0\n03.0 none vfio-pci\nreconnect 0\n03.0 vfio-pci vfio-pci\nrelease 0\n03.0 e1000 (null)\nheld: 0\n",
  },
  {
    name: "the only display goes, console and all, and comes back",
    script:
      `console() { echo "vtcon1 $(cat /sys/class/vtconsole/vtcon1/bind)" $(ls -1 /sys/bus/platform/drivers/vesa-framebuffer); }
console; hook prepare display; state 01.0; console; hook release display; state 01.0; console; held`,
    want:
      "vtcon1 1 bind uevent unbind vesa-framebuffer.0\nprepare 0\n01.0 vfio-pci vfio-pci\nvtcon1 0 bind uevent unbind\nrelease 0\n01.0 none (null)\nvtcon1 1 bind uevent unbind vesa-framebuffer.0\nheld: 0\n",
  },
];
