#!/bin/sh
# One isolated libvirt host for a test: its own mounts, network, host name, processes and cgroups.
#
#   node.sh SCRATCH NAME [ROOT]  start it; it lives until standard input ends, then all in it dies and SCRATCH is removed;
#                              with ROOT, its programs and /etc are those of the system in that folder
#   node.sh --join COMMAND...  (inside) run COMMAND in the node's own cgroups, as a daemon has to be
#
# Three floors, each one a process that waits for the next: the outermost removes the scratch folder, the second makes
# and removes the cgroups, the third is the node's process 1. The host's own folders are only ever read: every folder
# that libvirt writes is covered by one below SCRATCH, in a mount namespace that ends with the node.
set -eu

# The v1 hierarchies of this host as /proc names them ("cpu,cpuacct"); none on a host with cgroup v2 alone.
v1_hierarchies() {
  while IFS=: read -r _ controllers _; do
    case $controllers in '' | name=*) ;; *) echo "$controllers" ;; esac
  done </proc/self/cgroup
}

# mount_hierarchies FOLDER: every hierarchy of the host that libvirt uses, mounted below FOLDER.
mount_hierarchies() {
  if [ -z "$(v1_hierarchies)" ]; then
    mount -t cgroup2 cgroup2 "$1"
    return
  fi
  for controllers in $(v1_hierarchies); do
    mkdir -p "$1/$controllers"
    mount -t cgroup -o "$controllers" cgroup "$1/$controllers"
  done
}

# groups_in FOLDER: the top group of every hierarchy mounted there.
groups_in() {
  if [ -e "$1/cgroup.controllers" ]; then echo "$1"; else for group in "$1"/*/; do echo "${group%/}"; done; fi
}

floor_scratch() {
  scratch=$1
  name=$2
  root=${3-}
  trap '' INT TERM HUP # the end of standard input is the one way to end a node, so that nothing is left behind
  status=0
  unshare --mount sh "$0" --floor-cgroups "$scratch" "$name" "$root" || status=$?
  rm -rf --one-file-system "$scratch"
  exit "$status"
}

floor_cgroups() {
  scratch=$1
  name=$2
  root=$3
  own=virt-hooks-e2e-$$-$name
  mkdir "$scratch/cgroup"
  mount -t tmpfs -o mode=0755 cgroup "$scratch/cgroup"
  mount_hierarchies "$scratch/cgroup"
  for group in $(groups_in "$scratch/cgroup"); do
    mkdir "$group/$own"
    # A new cpuset group of v1 is empty, and no process can join one that is.
    if [ -e "$group/cpuset.cpus" ] && [ ! -e "$group/cgroup.controllers" ]; then
      cat "$group/cpuset.cpus" >"$group/$own/cpuset.cpus"
      cat "$group/cpuset.mems" >"$group/$own/cpuset.mems"
    fi
  done
  status=0
  unshare --mount --net --uts --ipc --pid --fork --kill-child \
    sh "$0" --floor-door "$scratch" "$name" "$own" "$root" || status=$?
  for group in $(groups_in "$scratch/cgroup"); do
    find "$group/$own" -depth -type d -exec rmdir {} +
  done
  exit "$status"
}

# Process 1 enters the node's cgroups alone: a v2 group with a process from outside could hand no controller on.
floor_door() {
  for group in $(groups_in "$1/cgroup"); do
    echo 0 >"$group/$3/cgroup.procs"
  done
  exec unshare --cgroup sh "$0" --floor-node "$1" "$2" "$4"
}

floor_node() {
  scratch=$1
  name=$2
  root=$3
  exec 3<&0 # a shell gives its background children /dev/null as standard input
  read -r pid _ </proc/self/stat # the host's own number, as the host's /proc is still the one mounted

  mkdir -p "$scratch/var-lib-libvirt" "$scratch/var-cache-libvirt" "$scratch/var-log" "$scratch/run"
  cp -a "$root/etc" "$scratch/etc"
  rm -rf "$scratch/etc/virt-hooks" "$scratch/etc/libvirt/hooks" "$scratch/etc/libvirt/qemu/networks/autostart" \
    "$scratch/etc/libvirt/storage" "$scratch/etc/libvirt/secrets"
  find "$scratch/etc/libvirt/qemu" "$scratch/etc/libvirt/lxc" -name '*.xml' -delete 2>/dev/null || :
  umask 022
  mkdir -p "$scratch/etc/virt-hooks/rules.d" "$scratch/etc/virt-hooks/programs" "$scratch/etc/libvirt/hooks"
  cp "$scratch/libvirtd.conf" "$scratch/qemu.conf" "$scratch/lxc.conf" "$scratch/etc/libvirt/"

  # Every program and library lies below /usr, in both systems; this shell goes on with what it has loaded.
  if [ -n "$root" ]; then mount --bind "$root/usr" /usr; fi
  mount --bind "$scratch/etc" /etc
  mount --bind "$scratch/var-lib-libvirt" /var/lib/libvirt
  mount --bind "$scratch/var-cache-libvirt" /var/cache/libvirt
  mount --bind "$scratch/var-log" /var/log
  mount --bind "$scratch/run" /run
  mkdir -p /run/lock /run/libvirt /var/log/libvirt/qemu /var/log/libvirt/lxc
  mount -t proc proc /proc
  umount -R -l "$scratch/cgroup" /sys/fs/cgroup
  mount -t sysfs sysfs /sys
  if [ -n "$(v1_hierarchies)" ]; then
    # No unified hierarchy beside v1: libvirt 9 starts no container where it sees both.
    mount -t tmpfs -o mode=0755 cgroup /sys/fs/cgroup
    mount_hierarchies /sys/fs/cgroup
  else
    mount_hierarchies /sys/fs/cgroup
    # A v2 group that hands controllers on, as libvirt needs it, may hold no process itself.
    mkdir /sys/fs/cgroup/node
    echo 0 >/sys/fs/cgroup/node/cgroup.procs
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    for controller in $controllers; do
      echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
    done
  fi
  # A guest takes its huge pages from a mount of their size, which libvirt looks for when it starts.
  for size in /sys/kernel/mm/hugepages/hugepages-*kB; do
    [ -d "$size" ] || continue
    size=${size##*-} && size=${size%kB}K
    mkdir -p "/run/hugepages/$size"
    mount -t hugetlbfs -o "pagesize=$size" hugetlbfs "/run/hugepages/$size"
  done
  ip link set lo up
  hostname "$name"

  echo "$pid" >"$scratch/pid.new"
  mv "$scratch/pid.new" "$scratch/pid"
  # The shell stays process 1 and reaps what daemons leave behind; with it goes every process of the node.
  cat <&3 >/dev/null &
  wait $!
}

join() {
  for group in $(groups_in /sys/fs/cgroup); do
    if [ -d "$group/node" ]; then group=$group/node; fi
    echo 0 >"$group/cgroup.procs"
  done
  exec "$@"
}

case $1 in
  --floor-cgroups) shift && floor_cgroups "$@" ;;
  --floor-door) shift && floor_door "$@" ;;
  --floor-node) shift && floor_node "$@" ;;
  --join) shift && join "$@" ;;
  *) floor_scratch "$@" ;;
esac
