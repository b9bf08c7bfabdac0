#!/bin/sh
# crowd.sh COMMAND...: runs COMMAND where the folders of virt-hooks and of libvirt, and the network, are its own. The kernel
# is the machine's.
# Everything is gone when COMMAND ends.
set -eu

if [ "${1-}" != --inside ]; then
  exec unshare --mount --net --propagation private sh "$0" --inside "$@"
fi
shift
scratch=$(mktemp -d)
mount -t tmpfs -o mode=0755 crowd "$scratch"
cp -a /etc "$scratch/etc"
rm -rf "$scratch/etc/virt-hooks"
mkdir -p "$scratch/etc/virt-hooks"
mount --bind "$scratch/etc" /etc
umount -l "$scratch"
rmdir "$scratch"
mount -t tmpfs -o mode=0755 crowd /run
mount -t tmpfs -o mode=0755 crowd /var/log
mkdir -p /run/libvirt/qemu /run/libvirt/network
exec "$@"
