#!/bin/sh
# A private root: a small file system, process tree and network of its own, in which any user is root, nothing of the
# host can be written, and of which nothing remains afterwards. Used through private_root.ts; needs util-linux.
#
#   private_root.sh [FROM AT]...      mounts the host's file or folder FROM, read-only, at AT
#
# It answers `ready FOLDER` and then, for every line NAME it reads on stdin, runs FOLDER/NAME/call.sh: stdin is what
# FOLDER/NAME/feed.sh prints, FOLDER/NAME/meanwhile.sh runs beside it (with $pid, the call's process), stdout and stderr
# are pipes that are read to their ends, as libvirt does. The answer, on stdout:
#
#   begin
#   end STATUS STDOUT_BYTES STDERR_BYTES      followed by the bytes of both
#
# Everything ends when stdin does. The root's own processes run in /private, calls elsewhere: so /proc tells them apart.
set -eu
PATH=$PATH:/usr/sbin:/sbin

main() {
  folder=$(mktemp -d "${TMPDIR:-/tmp}/virt-hooks-root.XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  trap 'exit 129' HUP INT TERM
  mkdir "$folder/root" "$folder/calls"
  unshare --map-root-user --mount --net --pid --fork --ipc --uts --kill-child -- sh "$0" --inside "$folder" "$@"
}

inside() {
  folder=$1
  shift
  umask 022
  root=$folder/root
  mount -t tmpfs -o mode=0755,size=512m private "$root"
  cd "$root"
  make_folders
  show_system
  show_proc
  show private/calls "$folder/calls"
  while [ $# -ge 2 ]; do
    show "${2#/}" "$1"
    shift 2
  done
  mkdir old
  pivot_root . old
  cd /
  umount -l /old
  rmdir /old
  seal
  cd /private
  # In a child: process 1 adopts orphans, and a hook whose parent it is has no daemon.
  (serve "$folder/calls")
  exit $?
}

make_folders() {
  mkdir -p etc/virt-hooks etc/libvirt/hooks run var/log/virt-hooks usr dev proc sys tmp opt private
  chmod 1777 tmp
  chmod 700 var/log/virt-hooks
  mkdir -p sys/kernel/mm/hugepages/hugepages-2048kB # a stand-in: the host's /sys is never mounted
}

# The host's programs and libraries, and the devices every program may expect.
show_system() {
  for name in bin sbin lib lib32 lib64; do
    if [ -L "/$name" ]; then
      ln -s "$(readlink "/$name")" "$name"
    elif [ -d "/$name" ]; then
      show "$name" "/$name"
    fi
  done
  show usr /usr
  # To a user who is not root all of /usr belongs to uid 65534 in here, and the hooks trust no such interpreter.
  mkdir -p opt/shell
  cp -L /bin/sh opt/shell/sh
  for name in null zero full random urandom; do show "dev/$name" "/dev/$name"; done
  # With it a test makes a file system without a server.
  if [ -e /dev/fuse ]; then show dev/fuse /dev/fuse; fi
  ln -s /proc/self/fd dev/fd
  if [ -e /etc/ld.so.cache ]; then cp -L /etc/ld.so.cache etc/; fi
  # Without it V8 looks through all time zones at every start.
  ln -s /usr/share/zoneinfo/Etc/UTC etc/localtime
}

# A process tree of its own. What reaches the host's kernel through /proc is hidden: its root owns it in here, too.
show_proc() {
  mount -t proc -o nosuid,nodev,noexec proc proc || mount --rbind /proc proc
  hostname hv-01
  boot_id=$(cat proc/sys/kernel/random/boot_id)
  mount -t tmpfs -o mode=0755 private proc/sys
  mkdir -p proc/sys/vm proc/sys/kernel/random
  echo hv-01 >proc/sys/kernel/hostname
  echo "$boot_id" >proc/sys/kernel/random/boot_id
  for name in proc/sysrq-trigger proc/kcore; do if [ -e "$name" ]; then mount --bind /dev/null "$name"; fi; done
  for name in proc/bus proc/fs proc/irq; do if [ -d "$name" ]; then mount -t tmpfs -o ro private "$name"; fi; done
}

# show AT FROM: with rbind, as a plain bind of a folder over mounts that are locked is refused.
show() {
  if [ -d "$2" ]; then
    mkdir -p "$1"
  else
    mkdir -p "${1%/*}"
    : >"$1"
  fi
  mount --rbind "$2" "$1"
}

# Makes every mount that came from the host read-only; flags the host has locked must be named again.
seal() {
  while read -r _ _ _ _ point options _; do
    case $point in / | /proc | /proc/* | /dev/*) continue ;; esac
    case $options in ro | ro,*) continue ;; esac
    mount -o "remount,bind,ro${options#rw}" "$(printf '%b' "$point")"
  done </proc/self/mountinfo
}

serve() {
  set +e
  trap 'exit 129' HUP INT TERM
  echo "ready $1"
  while IFS= read -r name; do call "/private/calls/$name" /private/result; done
}

# call IN OUT: the scripts are sourced by forked shells of this one, so it is the parent of what they `exec`.
call() {
  rm -rf "$2"
  mkdir "$2"
  mkfifo "$2/0" "$2/1" "$2/2"
  # shellcheck source=/dev/null
  (. "$1/feed.sh") >"$2/0" &
  feeder=$!
  cat "$2/1" >"$2/stdout" &
  stdout_reader=$!
  cat "$2/2" >"$2/stderr" &
  stderr_reader=$!
  echo begin
  # shellcheck source=/dev/null
  (. "$1/call.sh") <"$2/0" >"$2/1" 2>"$2/2" &
  pid=$!
  # shellcheck source=/dev/null
  (. "$1/meanwhile.sh") >&2 &
  watcher=$!
  wait "$pid"
  status=$?
  wait "$stdout_reader" "$stderr_reader"
  kill -s KILL "$feeder" "$watcher" 2>/dev/null
  wait "$feeder" "$watcher"
  echo "end $status $(($(wc -c <"$2/stdout"))) $(($(wc -c <"$2/stderr")))"
  cat "$2/stdout" "$2/stderr"
}

if [ "${1-}" = --inside ]; then
  shift
  inside "$@"
else
  main "$@"
fi
