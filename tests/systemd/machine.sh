#!/bin/sh
# A host of a test's own that systemd runs: booted by systemd-nspawn over this machine's /usr, everything else in memory.
#
#   machine.sh SCRATCH ARCHIVE [MORE]   start it; it lives until it powers off or standard input ends, then all in it is gone
#
# SCRATCH/shared is /shared inside, and ARCHIVE is /archive. The folders of MORE (A:B) are laid over /usr. SCRATCH/pid names its process 1 once that runs.
set -eu

floor_scratch() {
  trap '' INT TERM HUP # the end of standard input is the one way to end it, so that nothing is left behind
  unshare --mount sh "$0" --floor-machine "$@" || :
  rm -rf --one-file-system "$1"
}

floor_machine() {
  scratch=$1
  archive=$2
  more=${3-}
  exec 3<&0 # a shell gives its background children /dev/null as standard input
  mount --make-rprivate /
  mount -t tmpfs -o mode=0755 run /run
  umount -R -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  group=/sys/fs/cgroup/virt-hooks-systemd-$$
  mkdir "$group"
  sh "$0" --floor-boot "$group" "$scratch" "$archive" "$more" &
  machine=$!
  # systemd-nspawn takes no other signal where those are ignored, and leaves its machine running.
  (cat <&3 >/dev/null && echo 1 >"$group/cgroup.kill") &
  watcher=$!
  until grep . "$group/payload/init.scope/cgroup.procs" >"$scratch/pids" 2>/dev/null; do
    kill -0 "$machine" 2>/dev/null || break
    sleep 0.02
  done
  head -n 1 "$scratch/pids" >"$scratch/pid.new"
  mv "$scratch/pid.new" "$scratch/pid"
  wait "$machine" || :
  kill "$watcher" 2>/dev/null || :
  # What the kernel has killed is not gone at once.
  tries=0
  until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$tries" = 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
  done
}

# systemd-nspawn moves itself to a group below its own, which may hold nobody else.
floor_boot() {
  echo 0 >"$1/cgroup.procs"
  exec systemd-nspawn --quiet --register=no --keep-unit --volatile=yes --private-network --machine=virt-hooks-test \
    --directory=/ --bind="$2/shared:/shared" --bind-ro="$3:/archive" ${4:+"--overlay-ro=/usr:$4:/usr"} \
    --boot systemd.firstboot=off systemd.unit=basic.target </dev/null >"$2/console" 2>&1
}

case $1 in
  --floor-machine) shift && floor_machine "$@" ;;
  --floor-boot) shift && floor_boot "$@" ;;
  *) floor_scratch "$@" ;;
esac
