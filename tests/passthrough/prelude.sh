# What every step in the guest has at hand. Devices are written without their domain and bus: 03.0 is 0000:00:03.0.
export E1000=/sys/bus/pci/drivers/e1000

# state DEVICE…: driver and driver_override of each
state() {
  for device in "$@"; do
    folder=/sys/bus/pci/devices/0000:00:$device
    driver=$(readlink "$folder/driver") || driver=none
    echo "$device ${driver##*/} $(cat "$folder/driver_override")"
  done
}

# xml MANAGED DEVICE…: hostdev elements
xml() {
  managed=$1
  shift
  for device in "$@"; do
    echo "<hostdev mode='subsystem' type='pci' managed='$managed'><source><address domain='0x0000' bus='0x00'" \
      "slot='0x${device%.*}' function='0x${device#*.}'/></source></hostdev>"
  done
}

# hook OPERATION GUEST [XML]: calls the compiled hook as libvirt does, and tells its exit code
hook() {
  uuid=11111111-2222-4333-8444-$(printf '%s000000000000' "$2" | tr 'a-z-' '0-90-90-55' | head -c 12)
  printf '<domain type="kvm"><name>%s</name><uuid>%s</uuid><devices>%s</devices></domain>' "$2" "$uuid" "$3" >/tmp/document
  sub=begin
  [ "$1" != release ] || sub=end
  code=0
  /hooks/qemu "$2" "$1" $sub - </tmp/document || code=$?
  echo "$1 $code"
}

# held: how much is in the ledger
held() {
  echo "held: $(find /run/virt-hooks/ledger -name '*.json' | wc -l)"
}

# until_true COMMAND…: waits for it to succeed, for 10 s at most
until_true() {
  for _ in $(seq 100); do
    if "$@"; then return 0; fi
    usleep 100000
  done
  echo "still not: $*"
  return 1
}

# kill_hook_at FILE: the hook dies, as by SIGKILL, at the moment it is about to write that file
kill_hook_at() {
  echo "$1" >/tmp/kill-hook-at
}

# modules: which of those that rules name are loaded
modules() {
  printf 'modules:'
  for name in dummy vfio_pci; do [ ! -d "/sys/module/$name" ] || printf ' %s' "$name"; done
  echo
}
