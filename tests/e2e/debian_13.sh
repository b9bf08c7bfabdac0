#!/bin/sh
# Makes a folder with Debian 13 in it, for nodes with another libvirt (11.3) than the host's:
#
#   debian_13.sh FOLDER      makes FOLDER, unless it is there; 60 s and 1 GB, once
#
# Everything comes from where this host's own packages come from. Nothing of the host is changed. The folder gets its name
# when it is whole, so one that was cut short is made anew.
set -eu
folder=$1
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
export LC_ALL DEBIAN_FRONTEND

packages='libvirt-daemon-driver-lxc libvirt-daemon-driver-qemu libvirt-daemon-driver-network libvirt-daemon-system
  libvirt-clients qemu-system-x86 nftables iptables dnsmasq-base iproute2 busybox-static conntrack procps firewalld ufw docker.io
  dbus dbus-daemon'

if [ -e "$folder/etc/debian_version" ]; then exit 0; fi
mkdir -p "${folder%/*}"
half=$(mktemp -d "$folder.XXXXXX")
chmod 755 "$half"
trap 'rm -rf --one-file-system "$half"' EXIT
# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
if [ -z "$mirror" ]; then
  echo "there is no package list: run apt-get update first" >&2
  exit 1
fi
# In two steps: with the packages in the first, systemd's own dependencies are not there yet.
debootstrap --variant=minbase --no-check-gpg trixie "$half" "$mirror" >"$half.log" 2>&1 || { tail "$half.log" >&2; exit 1; }
printf '#!/bin/sh\nexit 101\n' >"$half/usr/sbin/policy-rc.d" # no daemon starts while it is installed
chmod 755 "$half/usr/sbin/policy-rc.d"
echo 'Acquire::Languages "none";' >"$half/etc/apt/apt.conf.d/99languages"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$half/etc/dpkg/dpkg.cfg.d/90slim"
echo force-unsafe-io >>"$half/etc/dpkg/dpkg.cfg.d/90slim"
cp /etc/resolv.conf "$half/etc/resolv.conf"
for file in /etc/apt/apt.conf.d/*prox* /etc/apt/apt.conf; do
  if [ -e "$file" ]; then cp "$file" "$half/etc/apt/apt.conf.d/"; fi
done
# shellcheck disable=SC2016,SC2086 # the inner shell expands it; a list of names
unshare --mount --uts --pid --fork --kill-child sh -euc '
  mount --make-rprivate /
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  folder=$1
  shift
  exec chroot "$folder" apt-get install -y --no-install-recommends "$@"
' sh "$half" $packages >>"$half.log" 2>&1 || { tail "$half.log" >&2; exit 1; }
# libvirt's nftables backend needs a kernel module for this, which not every kernel has: a stand-in that skips just that.
printf '#!/bin/sh\ncase "$*" in *"action csum"*) exit 0 ;; esac\nexec /sbin/tc "$@"\n' >"$half/usr/local/sbin/tc"
chmod 755 "$half/usr/local/sbin/tc"
rm -rf "$half/var/cache/apt" "$half/var/lib/apt/lists" "$half.log"
mv "$half" "$folder"
trap - EXIT
