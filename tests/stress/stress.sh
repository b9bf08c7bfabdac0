#!/bin/sh
# stress.sh COMMAND...: runs COMMAND with private folders of virt-hooks and of libvirt and a private network, on the kernel of the
# machine. They are removed when COMMAND ends.
set -eu

if [ "${1-}" != --inside ]; then
  exec unshare --mount --net --propagation private sh "$0" --inside "$@"
fi
shift
scratch=$(mktemp -d)
mount -t tmpfs -o mode=0755 stress "$scratch"
cp -a /etc "$scratch/etc"
rm -rf "$scratch/etc/virt-hooks"
mkdir -p "$scratch/etc/virt-hooks"
mount --bind "$scratch/etc" /etc
umount -l "$scratch"
rmdir "$scratch"
mount -t tmpfs -o mode=0755 stress /run
mount -t tmpfs -o mode=0755 stress /var/log
mkdir -p /run/libvirt/qemu /run/libvirt/network
exec "$@"
