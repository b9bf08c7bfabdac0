/**
 * What the compiled hook does in front of a kernel that means it: PCI devices handed over and back, modules loaded and unloaded,
 * CPUs kept free. What only needs counting is proven on a host in memory.
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
    script: `modprobe e1000; modprobe nvme; modprobe dummy; modprobe vfio_iommu_type1; until_true test -e /dev/nvme0n1
state 03.0 05.0 05.1 06.0 01.0; modules`,
    want: `03.0 e1000 (null)
05.0 e1000 (null)
05.1 e1000 (null)
06.0 nvme (null)
01.0 none (null)
modules: dummy
`,
  },
  {
    name: "a driver that nobody loads is refused before anything is touched",
    script: `hook prepare nic "$(xml no 03.0)"; state 03.0; held`,
    want:
      /the driver vfio-pci is not loaded\nhint: .*modules = \{ load = \["vfio-pci"\] \}\nprepare 4\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "all that a guest needs: modules, CPUs, a device; and back",
    script:
      `echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control; mkdir /sys/fs/cgroup/system.slice /sys/fs/cgroup/user.slice
echo 0-1 >/sys/fs/cgroup/user.slice/cpuset.cpus
whole() { state 03.0; modules; for slice in system user; do echo "$slice: $(cat /sys/fs/cgroup/$slice.slice/cpuset.cpus)"; done; }
whole; hook prepare whole "$(xml no 03.0)"; whole; ls -1 /dev/vfio
echo "effective: $(cat /sys/fs/cgroup/system.slice/cpuset.cpus.effective)"
hook release whole; whole; held`,
    want: `03.0 e1000 (null)
modules: dummy
system: 
user: 0-1
prepare 0
03.0 vfio-pci vfio-pci
modules: vfio_pci
system: 0
user: 0
2
vfio
effective: 0
release 0
03.0 e1000 (null)
modules: dummy
system: 
user: 0-1
held: 0
`,
  },
  {
    name: "half an IOMMU group is refused",
    script: `modprobe vfio-pci; hook prepare half "$(xml no 05.0)"; state 05.0 05.1; held`,
    want:
      /0000:00:05\.0 is in IOMMU group 3 with 0000:00:05\.1 \(e1000\).*\n.*\nprepare 4\n05\.0 e1000 \(null\)\n05\.1 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "all of an IOMMU group goes; a driver that was unloaded meanwhile is loaded to give its devices back",
    script:
      `hook prepare pair "$(xml no 05.0 05.1)"; state 05.0 05.1; modprobe -r e1000; hook release pair; state 05.0 05.1; held`,
    want: `prepare 0
05.0 vfio-pci vfio-pci
05.1 vfio-pci vfio-pci
release 0
05.0 e1000 (null)
05.1 e1000 (null)
held: 0
`,
  },
  {
    name: "a NIC that carries traffic is refused",
    script: `nic=$(ls -1 /sys/bus/pci/devices/${NIC}/net); ifconfig $nic 192.0.2.1 netmask 255.255.255.0 up
hook prepare nic "$(xml no 03.0)"; ifconfig $nic 0.0.0.0 down; state 03.0`,
    want: /0000:00:03\.0 is in use: eth\d carries traffic of the host\n.*\nprepare 4\n03\.0 e1000 \(null\)\n$/,
  },
  {
    name: "a disk that is swap or open is refused, and who uses it is told; also where libvirt manages it",
    script:
      `mkswap /dev/nvme0n1 >/dev/null; swapon /dev/nvme0n1; hook prepare disk "$(xml no 06.0)"; swapoff /dev/nvme0n1
sleep 100 3</dev/nvme0n1 & hook prepare managed "$(xml yes 06.0)"; kill $!; state 06.0
hook prepare managed "$(xml yes 06.0)"; state 06.0; hook release managed; held`,
    want:
      /nvme0n1 is swap\n.*\nprepare 4\n.*sleep \(\d+\) has \/dev\/nvme0n1 open\n.*\nprepare 4\n06\.0 nvme \(null\)\nprepare 0\n06\.0 nvme \(null\)\nrelease 0\nheld: 0\n$/,
  },
  {
    name: "programs are ended where the rule says so, also one that will not hear; a mounted file system is kept",
    script: `modprobe crc32c_generic; modprobe ext4; mke2fs /dev/nvme0n1 >/dev/null; mount -t ext2 /dev/nvme0n1 /mnt
hook prepare disk-stop "$(xml no 06.0)"; umount /mnt
sleep 600 3</dev/nvme0n1 & a=$!; (trap '' TERM; exec sleep 600 3</dev/nvme0n1) & b=$!
hook prepare disk-stop "$(xml no 06.0)"; state 06.0; wait $a; echo $?; wait $b; echo $?
hook release disk-stop; state 06.0; until_true test -e /dev/nvme0n1; held`,
    want:
      /nvme0n1 is mounted on \/mnt\n.*\nprepare 4\nprepare 0\n06\.0 vfio-pci vfio-pci\n143\n137\nrelease 0\n06\.0 nvme \(null\)\nheld: 0\n$/,
  },
  {
    name: "a hook killed between two drivers: the release mends it",
    script: `kill_hook_at /sys/bus/pci/drivers/vfio-pci/bind; hook prepare nic "$(xml no 03.0)"; state 03.0
hook release nic; state 03.0; held`,
    want: /prepare 137\n03\.0 none vfio-pci\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a device that another guest has is refused, and waited for at its release",
    script: `hook prepare nic "$(xml no 03.0)"; sleep 600 3</dev/vfio/2 & user=$!
hook prepare other "$(xml no 03.0)"; (usleep 4000000; kill $user) & hook release nic; state 03.0; held`,
    want:
      /prepare 0\n.*0000:00:03\.0 is in use: sleep \(\d+\) has \/dev\/vfio\/2 open\n.*\nprepare 4\nrelease 0\n03\.0 e1000 \(null\)\nheld: 0\n$/,
  },
  {
    name: "a device that was pulled out counts as given back",
    script: `hook prepare nic "$(xml no 03.0)"; echo 1 >/sys/bus/pci/devices/${NIC}/remove; hook release nic; held
echo 1 >/sys/bus/pci/rescan; until_true test -e $E1000/${NIC}; state 03.0`,
    want: "prepare 0\nrelease 0\nheld: 0\n03.0 e1000 (null)\n",
  },
  {
    name:
      "the only display: a start that dies gives the console back; vfio-pci makes the kernel forget the framebuffer",
    script:
      `console() { echo console $(cat /sys/class/vtconsole/vtcon1/bind) $(ls -1 /sys/bus/platform/drivers/vesa-framebuffer | grep 0); }
console; kill_hook_at /sys/bus/pci/drivers/vfio-pci/bind; hook prepare display; state 01.0; console
hook release display; state 01.0; console; held
hook prepare display; state 01.0; hook release display; state 01.0; held`,
    want:
      /^console 1 vesa-framebuffer\.0\n(.*\n)?prepare 137\n01\.0 none vfio-pci\n(cat: .*\n)?console\nrelease 0\n01\.0 none \(null\)\nconsole 1 vesa-framebuffer\.0\nheld: 0\nprepare 0\n01\.0 vfio-pci vfio-pci\nrelease 0\n01\.0 none \(null\)\nheld: 0\n$/,
  },
];
