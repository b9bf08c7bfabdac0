#!/bin/sh
# Installs virt-hooks from the unpacked archive it stands in; updates it, tells its state, takes it away again.
# A POSIX shell and a base system (coreutils or busybox) are enough. It downloads nothing, edits no configuration of
# libvirt's, and reloads no daemon. Start reading at the last block: it is the table of contents.
set -eu
umask 022
LC_ALL=C
export LC_ALL
unset CDPATH

ALL_DRIVERS='daemon qemu lxc libxl network'
ALL_OPTIONS='--drivers --prefix --hooks-dir --no-firewall-unit --firewall-unit --uninstall --status --dry-run --help'
DROP_IN=50-virt-hooks
RULES_FILE=/etc/virt-hooks/rules.toml
UNITS_DIR=/etc/systemd/system
UNIT_NAME=virt-hooks-firewall
UNIT=$UNIT_NAME@.service # one instance a service: what starts firewalld stops nftables, and all that is a part of it
# Services that write the packet filter, or empty it. Each is waited for, also one that is installed later.
FIREWALLS='firewalld nftables docker ufw'
LIBVIRT_FIREWALLS='libvirtd virtnetworkd' # these write libvirt's own rules
RECORD_DIR=/var/lib/virt-hooks/install
RECORD_FILE=$RECORD_DIR/record
LEDGER_DIR=/run/virt-hooks/ledger
RECORD_HEAD='# virt-hooks install record, format 1: what install.sh made. Do not edit.'
START_LIMIT_SECONDS=20
NEWLINE='
'

usage() {
  cat <<'EOF'
Usage: install.sh [--drivers LIST] [--prefix DIR] [--hooks-dir DIR]
                  [--no-firewall-unit] [--dry-run]
       install.sh --uninstall [--drivers LIST] [--dry-run]
       install.sh --status

  --drivers LIST   comma-separated, of: daemon,qemu,lxc,libxl,network
                   (default: those whose libvirt driver is on this host)
  --prefix DIR     where sbin/virt-hooks goes (default: /usr/local)
  --hooks-dir DIR  where libvirt looks for hooks (default: /etc/libvirt/hooks)
  --no-firewall-unit
                   without the systemd unit that brings forwarded ports back when
                   firewalld, nftables, Docker, ufw or libvirt was restarted
                   (remembered; --firewall-unit asks for it again)
  --uninstall      remove what was installed, and nothing else
  --status         tell what is installed and whether it is intact (exit 1 if not)
  --dry-run        print every step, change nothing
  --help           this text

Environment: DESTDIR, a folder to install into instead of / (packages, images).
Exit: 0 done or nothing to do, 1 refused or failed (the host is as it was), 2 bad option.
EOF
}

# --- talking --------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# complain MESSAGE [HINT...]
complain() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  for hint; do printf '  hint: %s\n' "$hint" >&2; done
}
die() {
  complain "$@"
  exit 1
}
die_usage() {
  complain "$@"
  exit 2
}

# try WHAT COMMAND...: runs it; when it fails its own words become our error.
try() {
  what=$1
  shift
  if ! output=$("$@" 2>&1); then die "Cannot $what: $output"; fi
}

# --- options --------------------------------------------------------------------------------------

parse_options() {
  MODE=install DRY_RUN=no DRIVERS_ASKED='' PREFIX_ASKED='' HOOKS_DIR_ASKED='' UNIT_ASKED=''
  while [ $# -gt 0 ]; do
    case $1 in
    --drivers=* | --prefix=* | --hooks-dir=*)
      option=${1%%=*} value=${1#*=}
      shift
      set -- "$option" "$value" "$@"
      ;;
    --drivers | --prefix | --hooks-dir)
      if [ -z "${2-}" ]; then die_usage "Cannot read $1: its value is missing"; fi
      case $1 in
      --drivers) DRIVERS_ASKED=$(known_drivers "$2") || exit 2 ;;
      --prefix) PREFIX_ASKED=$(absolute --prefix "$2") || exit 2 ;;
      --hooks-dir) HOOKS_DIR_ASKED=$(absolute --hooks-dir "$2") || exit 2 ;;
      esac
      shift 2
      ;;
    --no-firewall-unit)
      UNIT_ASKED=no
      shift
      ;;
    --firewall-unit)
      UNIT_ASKED=yes
      shift
      ;;
    --uninstall | --status)
      if [ "$MODE" != install ]; then die_usage "Cannot do $1: --$MODE was asked for too"; fi
      MODE=${1#--}
      shift
      ;;
    --dry-run)
      DRY_RUN=yes
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) die_usage "Cannot understand \"$1\": the options are $ALL_OPTIONS" "$(nearest_option "$1")" ;;
    esac
  done
  DESTDIR=${DESTDIR-}
  if [ -n "$DESTDIR" ]; then
    DESTDIR=$(absolute DESTDIR "$DESTDIR") || exit 2
    if [ ! -d "$DESTDIR/" ]; then die_usage "Cannot use DESTDIR \"$DESTDIR\": it is no directory, make it first"; fi
  fi
}

nearest_option() {
  for option in $ALL_OPTIONS; do
    case $1 in "${option%"${option#?????}"}"*)
      printf 'the nearest is %s\n' "$option"
      return
      ;;
    esac
  done
  say 'install.sh --help explains them'
}

known_drivers() {
  case $1 in *[!a-z,]* | ,* | *, | *,,*) die_usage "Cannot read --drivers \"$1\": wanted a list like qemu,lxc" ;; esac
  for driver in $(say "$1" | tr , ' '); do
    case " $ALL_DRIVERS " in
    *" $driver "*) say "$driver" ;;
    *) die_usage "Cannot install for the driver \"$driver\": the drivers are $ALL_DRIVERS" ;;
    esac
  done
}

absolute() {
  case $2 in
  *"$NEWLINE"*) die_usage "Cannot use $1: a path with a line break" ;;
  *[!/]*) ;;
  *) die_usage "Cannot use $1 \"$2\": it is the root" ;;
  esac
  case $2 in
  /*) say "$2" | sed 's,/*$,,' ;;
  *) die_usage "Cannot use $1 \"$2\": it must begin with /" ;;
  esac
}

require_base_system() {
  for tool in basename cat chmod chown cp cut dirname env grep id ln mkdir mv od readlink rm rmdir sed sha256sum stat \
    sync timeout tr uname; do
    if ! command -v "$tool" >/dev/null 2>&1; then die "Cannot work without the program \"$tool\": it is not in PATH"; fi
  done
}

require_root() {
  if [ "$(id -u)" = 0 ] || [ -n "$DESTDIR" ] || [ "$DRY_RUN" = yes ] || [ "$MODE" = status ]; then return 0; fi
  die "Cannot go on: only root may, and you are $(id -un 2>/dev/null || id -u)" \
    "run it with sudo, or with --dry-run, or set DESTDIR to install into a folder"
}

# --- the record: how we know what is ours ---------------------------------------------------------
# Lines: "version V", "prefix DIR", "hooks-dir DIR", "drivers auto|chosen", "firewall-unit yes|no", "directory PATH",
# "file SHA256 ROLE PATH" (ROLE is hook:DRIVER, admin, installer, rules, unit or wants; of a link the sum is that of
# where it leads), "waiting DRIVER PID START NAME" (a daemon that was there before it), and while a run is at work
# "unfinished install|uninstall": written before the first change, removed with the last.
# A path ends its line, so it may hold spaces. Paths are those of the host, without DESTDIR.

read_record() {
  RECORD=''
  if [ -f "$DESTDIR$RECORD_FILE" ]; then
    RECORD=$(cat "$DESTDIR$RECORD_FILE")
    case $RECORD in
    "$RECORD_HEAD"*) ;;
    *) die "Cannot read $DESTDIR$RECORD_FILE: not a record of this version" "use the install.sh that wrote it" ;;
    esac
  fi
  PREFIX=$(settle --prefix "$PREFIX_ASKED" prefix /usr/local)
  HOOKS_DIR=$(settle --hooks-dir "$HOOKS_DIR_ASKED" hooks-dir /etc/libvirt/hooks)
}

# settle OPTION ASKED KEY DEFAULT: what was asked, else recorded, else the default; asked and recorded may not differ.
settle() {
  recorded=$(recorded_value "$3")
  if [ -n "$2" ] && [ -n "$recorded" ] && [ "$2" != "$recorded" ]; then
    die "Cannot $MODE with $1 $2: virt-hooks is installed with $1 $recorded" "uninstall it first, or leave out $1"
  fi
  if [ -n "$2" ]; then say "$2"; elif [ -n "$recorded" ]; then say "$recorded"; else say "$4"; fi
}

recorded_value() { say "$RECORD" | sed -n "s/^$1 //p"; }
# recorded_file ROLE PATH, after look_at PATH: its line in the record; of several (an interrupted update leaves those of
# both versions) the one that describes what is there.
recorded_file() {
  lines=$(say "$RECORD" | grep -F " $1 $2" || :)
  case "$NEWLINE$lines$NEWLINE" in
  *"${NEWLINE}file $SUM_THERE $1 $2$NEWLINE"*) say "file $SUM_THERE $1 $2" ;;
  *) say "$lines" | sed 1q ;;
  esac
}
recorded_drivers() { say "$RECORD" | sed -n 's/^file [^ ]* hook:\([a-z]*\) .*/\1/p'; }

# Splits "file SUM ROLE PATH" into F_SUM, F_ROLE and F_PATH; fails for other lines.
split_file_line() {
  case $1 in "file "*) ;; *) return 1 ;; esac
  F_PATH=${1#file }
  F_SUM=${F_PATH%% *} F_PATH=${F_PATH#* }
  F_ROLE=${F_PATH%% *} F_PATH=${F_PATH#* }
}

sum_of() { sha256sum <"$1" | cut -c 1-64; }
sum_of_link() { readlink "$1" | sha256sum | cut -c 1-64; }
exists() { [ -e "$1" ] || [ -L "$1" ]; }

# look_at PATH: sets STATE to absent, ours (recorded, and its bytes are those we put there), changed (recorded, other
# bytes now) or other; SUM_THERE to the sum of what is ours.
look_at() {
  STATE=absent SUM_THERE=''
  if ! exists "$DESTDIR$1"; then return 0; fi
  STATE=other
  while IFS= read -r line; do
    if ! split_file_line "$line" || [ "$F_PATH" != "$1" ]; then continue; fi
    if [ "$STATE" = other ]; then STATE=changed; fi
    if [ -n "$SUM_THERE" ]; then
      :
    elif [ -L "$DESTDIR$1" ]; then
      SUM_THERE=$(sum_of_link "$DESTDIR$1")
    elif [ -f "$DESTDIR$1" ]; then
      SUM_THERE=$(sum_of "$DESTDIR$1")
    fi
    if [ "$SUM_THERE" = "$F_SUM" ]; then STATE=ours; fi
  done <<EOF
$RECORD
EOF
}

# --- the archive ----------------------------------------------------------------------------------

target() {
  case $(uname -m) in
  x86_64 | amd64) say x86_64-unknown-linux-gnu ;;
  aarch64 | arm64) say aarch64-unknown-linux-gnu ;;
  *) die "Cannot install on $(uname -m): virt-hooks is built for x86_64 and aarch64" ;;
  esac
}

find_archive() {
  ARCHIVE=$(cd "$(dirname "$0")" && pwd -P)
  if [ -e "$ARCHIVE/hooks/qemu.ts" ]; then
    built=$(target)
    if [ ! -d "$ARCHIVE/dist/$built" ]; then
      die "Cannot install from the source checkout $ARCHIVE: dist/$built is not there" "run: deno task build"
    fi
    ARCHIVE=$ARCHIVE/dist/$built
    say "This is a source checkout: installing from $ARCHIVE"
  elif [ ! -d "$ARCHIVE/hooks" ]; then
    die "Cannot install from $ARCHIVE: there is no hooks/ beside this install.sh" "run that of the unpacked archive"
  fi
}

# listed_sum NAME: what SHA256SUMS said when it was read (nothing when it does not list it). It is read once, so that the
# copies are compared with what was verified, also when the archive is changed meanwhile.
listed_sum() {
  while read -r listed name_listed; do
    name_listed=${name_listed#\*}
    if [ "${name_listed#./}" = "$1" ]; then
      say "$listed"
      return
    fi
  done <<EOF
$SUMS
EOF
}

verify_archive() {
  FILES='VERSION install.sh virt-hooks'
  for driver in $DRIVERS; do FILES="$FILES hooks/$driver"; done
  if [ ! -f "$ARCHIVE/SHA256SUMS" ]; then
    die "Cannot verify $ARCHIVE: it has no SHA256SUMS" "unpack the archive again, completely"
  fi
  others=$(open_to_others "$ARCHIVE")
  if [ -n "$others" ]; then
    warn "users other than root can change this archive ($others): compare its SHA256SUMS with a trusted copy"
  fi
  SUMS=$(cat "$ARCHIVE/SHA256SUMS")
  for name in $FILES; do
    if [ ! -f "$ARCHIVE/$name" ]; then
      die "Cannot find $name in $ARCHIVE" "unpack the archive again, or leave that driver out with --drivers"
    fi
    wanted=$(listed_sum "$name")
    if [ -z "$wanted" ]; then die "Cannot verify $ARCHIVE/$name: SHA256SUMS does not list it"; fi
    found=$(sum_of "$ARCHIVE/$name")
    if [ "$found" != "$wanted" ]; then
      die "Cannot trust $ARCHIVE/$name: its SHA-256 is $found, SHA256SUMS says $wanted" "get the archive again"
    fi
    verify_architecture "$ARCHIVE/$name"
  done
  VERSION=$(sed -n 1p "$ARCHIVE/VERSION")
  if [ -z "$VERSION" ]; then die "Cannot read $ARCHIVE/VERSION: its first line is empty"; fi
  say "virt-hooks $VERSION from $ARCHIVE: all checksums match"
}

# The machine field of an ELF header is the 19th byte: 62 is x86_64, 183 is aarch64.
verify_architecture() {
  file=$1
  # shellcheck disable=SC2046 # the bytes, as words
  set -- $(od -An -tu1 -N20 "$file")
  if [ "${1-} ${2-} ${3-} ${4-}" != '127 69 76 70' ]; then return 0; fi
  case $(target):${19} in x86_64-*:62 | aarch64-*:183) return 0 ;; esac
  die "Cannot use $file on $(uname -m): it is built for another machine (ELF machine ${19})" \
    "get the archive for $(target)"
}

# start NAME BINARY: starts it as libvirt starts a hook, with a cleared environment, from /, nothing on stdin. Without
# arguments a hook tells its usage and ends with 2; the admin command is asked for its version. Both name their version,
# which must be exactly that of the archive.
start() {
  case $1 in
  virt-hooks) argument=version wanted=0 ;;
  *) argument='' wanted=2 ;;
  esac
  status=0
  answer=$(cd / && timeout "$START_LIMIT_SECONDS" env -i LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    "$2" ${argument:+"$argument"} 2>&1 </dev/null) || status=$?
  case "$status:$answer " in "$wanted:"*"virt-hooks $VERSION"[!0-9A-Za-z.+-]*) return 0 ;; esac
  answer=$(say "$answer" | sed -n '1,3p')
  die "Cannot install $1: started as libvirt starts it, it ended with status $status${answer:+ and said: $answer}" \
    "$(likely_cause "$status")" "nothing was installed: libvirt refuses a guest whose hook does not answer"
}

likely_cause() {
  case $1 in
  124 | 143) say "it did not answer within $START_LIMIT_SECONDS s" ;;
  126) say "it may not be executed: a noexec mount under $STAGE, or SELinux or AppArmor forbids it" ;;
  127) say "its loader is missing: it needs glibc 2.27 or newer (musl, as in Alpine, is not enough)" ;;
  133 | 139)
    say "memory that is writable and executable is forbidden (SELinux deny_execmem, systemd MemoryDenyWriteExecute)," \
      "or address space is limited (ulimit -v: it must be unlimited)"
    ;;
  134) say "it could not start a thread: see the limits on processes (ulimit -u, TasksMax)" ;;
  101) say "too few open files are allowed (ulimit -n: it needs 16)" ;;
  1) say "is /proc mounted?" ;;
  0 | 2) say "it must tell that it is virt-hooks $VERSION, as VERSION in the archive says" ;;
  *) say "run it by hand from / to see more" ;;
  esac
}

# --- libvirt, as far as it can be seen without asking it ------------------------------------------

library_folders() {
  for folder in "$DESTDIR"/usr/lib/*-linux-gnu* "$DESTDIR"/usr/lib64 "$DESTDIR"/usr/lib "$DESTDIR"/usr/local/lib64 \
    "$DESTDIR"/usr/local/lib "$DESTDIR"/usr/local/lib/*-linux-gnu*; do
    if [ -d "$folder" ]; then say "$folder"; fi
  done
}

# first_file NAME...: the first that exists of these files (paths below a library folder or a folder of daemons).
first_file() {
  while IFS= read -r folder; do
    for name; do
      if [ -f "$folder/$name" ]; then
        say "$folder/$name"
        return 0
      fi
    done
  done <<EOF
$(library_folders)
$DESTDIR/usr/sbin
$DESTDIR/usr/bin
$DESTDIR/usr/local/sbin
EOF
}

daemons_running_hooks_of() {
  case $1 in
  qemu) say libvirtd virtqemud ;;
  lxc) say libvirtd virtlxcd ;;
  libxl) say libvirtd virtxend ;;
  network) say libvirtd virtnetworkd ;;
  daemon)
    say libvirtd virtqemud virtlxcd virtxend virtnetworkd virtstoraged virtnodedevd virtsecretd virtinterfaced \
      virtnwfilterd virtproxyd virtchd virtvboxd virtvzd
    ;;
  esac
}

# Why driver $1 is wanted by default: the file of libvirt's that shows it (nothing when there is none).
trace_of() {
  case $1 in
  daemon)
    # shellcheck disable=SC2046 # a list of names
    first_file $(daemons_running_hooks_of daemon)
    ;;
  qemu) first_file libvirt/connection-driver/libvirt_driver_qemu.so virtqemud ;;
  lxc) first_file libvirt/connection-driver/libvirt_driver_lxc.so virtlxcd ;;
  libxl) first_file libvirt/connection-driver/libvirt_driver_libxl.so virtxend ;;
  network) first_file libvirt/connection-driver/libvirt_driver_network.so virtnetworkd ;;
  esac
}

# libvirt.so.0 links to libvirt.so.0.9000.0 in 9.0.0, to libvirt.so.0.11003.0 in 11.3.0.
libvirt_version() {
  library=$(first_file libvirt.so.0)
  if [ -z "$library" ]; then return 0; fi
  library=$(readlink "$library") || return 0
  library=${library##*libvirt.so.0.}
  case $library in *[!0-9.]* | *.*.* | .* | *.) return 0 ;; *.*) ;; *) return 0 ;; esac
  minor=${library%%.*}
  say "$((minor / 1000)).$((minor % 1000)).${library#*.}"
}

runs_drop_ins() {
  case $(libvirt_version) in [0-5].* | 6.[0-4].*) return 1 ;; esac
}

choose_drivers() {
  DRIVERS='' CHOICE=chosen
  if [ -z "$DRIVERS_ASKED" ] && [ "$(recorded_value drivers)" != chosen ]; then CHOICE=auto; fi
  say "Drivers:"
  for driver in $ALL_DRIVERS; do
    why=$(why_wanted "$driver")
    if [ -n "$why" ]; then
      DRIVERS="$DRIVERS $driver"
      printf '  %-8s %s\n' "$driver" "$why"
    fi
  done
  if [ -z "$DRIVERS" ]; then
    die "Cannot choose drivers: no libvirt was found${DESTDIR:+ under $DESTDIR}" \
      "name them, for example: --drivers daemon,qemu,network"
  fi
}

why_wanted() {
  case "$NEWLINE$DRIVERS_ASKED$NEWLINE" in *"$NEWLINE$1$NEWLINE"*)
    say "asked for with --drivers"
    return
    ;;
  esac
  if [ "$CHOICE" = auto ]; then
    trace=$(trace_of "$1")
    if [ -n "$trace" ]; then
      say "libvirt has it: ${trace#"$DESTDIR"}"
      return
    fi
  fi
  case "$NEWLINE$(recorded_drivers)$NEWLINE" in *"$NEWLINE$1$NEWLINE"*) say "installed earlier" ;; esac
}

# libvirt keeps one bit a driver, set when it starts or reloads: is there a hook at all? This asks the files the same.
has_hook() {
  if is_run "$DESTDIR$HOOKS_DIR/$1"; then return 0; fi
  if ! runs_drop_ins; then return 1; fi
  for entry in "$DESTDIR$HOOKS_DIR/$1.d"/* "$DESTDIR$HOOKS_DIR/$1.d"/.[!.]* "$DESTDIR$HOOKS_DIR/$1.d"/..?*; do
    if is_run "$entry"; then return 0; fi
  done
  return 1
}
is_run() { [ -f "$1" ] && [ -x "$1" ]; }

# open_to_others PATH [strict]: the first folder, PATH or one above it, in which others than root may replace what is
# there, and why; nothing where there is none, or where we are not root. What another owns in a sticky folder stays his:
# in one above PATH that is enough.
open_to_others() {
  if [ "$(id -u)" != 0 ]; then return 0; fi
  above=$(cd -P "$1" && pwd -P) strict=${2-}
  while :; do
    owner=$(stat -c %u "$above/") mode=$(stat -c %a "$above/")
    if [ "$owner" != 0 ]; then
      say "$above belongs to the user $owner"
      return 0
    fi
    case $strict:$mode in
    :[1357]???) ;;
    *[2367] | *[2367]?)
      say "$above has the mode $mode"
      return 0
      ;;
    esac
    if [ "$above" = / ]; then return 0; fi
    above=$(dirname "$above") strict=''
  done
}

# libvirt runs as root what is in its folders of hooks.
require_safe_folders() {
  if [ -n "$DESTDIR" ]; then return 0; fi
  require_safe "$HOOKS_DIR"
  for driver in $DRIVERS; do require_safe "$HOOKS_DIR/$driver.d"; done
  others=$(open_to_others "$(nearest_folder "$PREFIX/sbin")")
  if [ -n "$others" ]; then warn "users other than root can replace $PREFIX/sbin/virt-hooks: $others"; fi
}

require_safe() {
  others=$(open_to_others "$(nearest_folder "$1")" strict)
  if [ -z "$others" ]; then return 0; fi
  die "Cannot install into $1: users other than root can change what libvirt runs there as root: $others" \
    "look at what is in it, give it to root (chown root:root, chmod go-w), then run install.sh again"
}

nearest_folder() {
  folder=$1
  while [ ! -d "$DESTDIR$folder/" ]; do folder=$(dirname "$folder"); done
  say "$folder"
}

# Sets DAEMONS to the system's running libvirt daemons that look into our hooks folder (whatever their mount namespace
# or root), one "PID START NAME" a line.
find_daemons() {
  DAEMONS=''
  seen=$(nearest_folder "$HOOKS_DIR")
  here=$(stat -L -c %d:%i "$DESTDIR$seen/")
  names=" $(daemons_running_hooks_of daemon) "
  for proc in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$proc/comm" || continue
    case $names in *" $name "*) ;; *) continue ;; esac
    there=$(stat -L -c %d:%i "$proc/root$seen/" 2>/dev/null) || continue
    if [ "$there" != "$here" ] || [ "$(stat -c %u "$proc" 2>/dev/null)" != 0 ]; then continue; fi
    started=$(start_of "$proc" 2>/dev/null) || continue
    DAEMONS="$DAEMONS${proc#/proc/} $started $name$NEWLINE"
  done
}

# The start time is the 22nd field; the name in the 2nd may hold anything, so count from its closing bracket.
start_of() {
  IFS= read -r fields <"$1/stat" || return 1
  # shellcheck disable=SC2086 # the fields, as words
  set -- ${fields##*) }
  # A process that has ended, and whose parent has not asked how, is none.
  if [ "$1" = Z ]; then return 1; fi
  say "${20}"
}

# daemons_of DRIVER: those lines of DAEMONS that run this driver's hook.
daemons_of() {
  while read -r pid start name; do
    case " $(daemons_running_hooks_of "$1") " in *" ${name:-none} "*) say "$pid $start $name" ;; esac
  done <<EOF
$DAEMONS
EOF
}

# reload_commands "PID START NAME" lines: what makes these daemons look again.
reload_commands() {
  units='' pids=''
  while read -r pid start name; do
    if [ -z "$pid" ]; then continue; fi
    if grep -q "/$name\\.service" "/proc/$pid/cgroup" 2>/dev/null; then
      case " $units " in *" $name "*) ;; *) units="$units $name" ;; esac
    else
      case " $pids " in *" $pid "*) ;; *) pids="$pids $pid" ;; esac
    fi
  done <<EOF
$1
EOF
  if [ -n "$units" ]; then say "systemctl reload$units"; fi
  if [ -n "$pids" ]; then say "kill -HUP$pids"; fi
}

# --- the plan: lines "VERB ARGUMENT PATH", the same for the dry run and the run -------------------

plan() { PLAN="$PLAN$1 $2 $3$NEWLINE"; }

# plan_directory MODE PATH: with the parents that are missing too.
plan_directory() {
  case "$NEWLINE$PLAN" in *"${NEWLINE}mkdir "????" $2$NEWLINE"*) return 0 ;; esac
  if [ -d "$DESTDIR$2" ]; then return 0; fi
  plan_directory 0755 "$(dirname "$2")"
  plan mkdir "$1" "$2"
  # The record does not list the folders it is in: they are made before it is written, and removed after it.
  case $2 in "$RECORD_DIR" | "${RECORD_DIR%/*}") ;; *) DIRECTORIES="$DIRECTORIES$2$NEWLINE" ;; esac
}

# plan_file SOURCE ROLE PATH, after look_at PATH said absent or ours.
plan_file() {
  wanted=$(listed_sum "$1")
  FILE_LINES="${FILE_LINES}file $wanted $2 $3$NEWLINE"
  if [ "$STATE" = ours ] && [ "$SUM_THERE" = "$wanted" ] && has_right_mode "$2" "$DESTDIR$3"; then return 0; fi
  plan put "$1" "$3"
}

# has_right_mode ROLE PATH
has_right_mode() {
  case $1 in
  wants) return 0 ;;
  unit) mode=644 ;;
  *) mode=755 ;;
  esac
  if [ "$(id -u)" = 0 ]; then [ "$(stat -c '%a %u:%g' "$2")" = "$mode 0:0" ]; else [ "$(stat -c %a "$2")" = "$mode" ]; fi
}

plan_program() {
  look_at "$3"
  case $STATE in other | changed)
    die "Cannot install $3: a file is there that is not ours${RECORD:+ (or was changed since we put it there)}" \
      "move it away and run install.sh again"
    ;;
  esac
  plan_file "$1" "$2" "$3"
}

plan_hook() {
  main=$HOOKS_DIR/$1 beside=$HOOKS_DIR/$1.d/$DROP_IN
  if ! has_hook "$1"; then UNSEEN="$UNSEEN $1"; fi
  look_at "$beside"
  beside_state=$STATE beside_sum=$SUM_THERE
  look_at "$main"
  case $STATE in
  absent | ours)
    plan_file "hooks/$1" "hook:$1" "$main"
    # Ours stood beside another's hook that has gone. First the main place is filled, then the drop-in removed. libvirt
    # looks at the main place, then at the folder: a call may run both when the first ends before the second step here;
    # it finds neither only if it stands still between its two looks for as long as both steps take.
    case $beside_state in
    ours) plan drop "hook:$1" "$beside" ;;
    changed) warn "$beside was changed since we put it there: it is yours now and stays, libvirt runs it too" ;;
    esac
    ;;
  other | changed)
    if [ "$STATE" = changed ]; then
      warn "$main was changed since we put it there: it is kept and treated as another owner's hook"
    fi
    say "Another owner's hook stays at $DESTDIR$main: ours becomes its neighbour $DESTDIR$beside"
    if is_run "$DESTDIR$main"; then
      warn "libvirt runs $main BEFORE virt-hooks at every call: what a rule does too is done twice; to replace it, move it away and run install.sh again"
    fi
    if ! runs_drop_ins; then
      warn "this libvirt is $(libvirt_version) and runs drop-ins only from 6.5.0 on: it will not run $beside"
    fi
    case $beside_state in other | changed)
      die "Cannot install $beside: a file is there that is not ours" "move it away, then run install.sh again"
      ;;
    esac
    plan_directory 0755 "$HOOKS_DIR/$1.d"
    STATE=$beside_state SUM_THERE=$beside_sum
    plan_file "hooks/$1" "hook:$1" "$beside"
    ;;
  esac
}

plan_rules() {
  look_at "$RULES_FILE"
  if [ "$STATE" = absent ]; then
    plan write rules "$RULES_FILE"
    FILE_LINES="${FILE_LINES}file $(rules_text | sha256sum | cut -c 1-64) rules $RULES_FILE$NEWLINE"
  else
    FILE_LINES="$FILE_LINES$(recorded_file rules "$RULES_FILE")$NEWLINE"
  fi
}

# What systemd runs after it restarted or reloaded a firewall, and the links by which it does so.
plan_unit() {
  unit=$UNITS_DIR/$UNIT
  UNIT_CHOICE=$UNIT_ASKED
  if [ -z "$UNIT_CHOICE" ]; then UNIT_CHOICE=$(recorded_value firewall-unit); fi
  if [ -z "$UNIT_CHOICE" ]; then UNIT_CHOICE=yes; fi
  if [ "$UNIT_CHOICE" = no ]; then
    plan_without_unit
    return 0
  fi
  if [ ! -d "$DESTDIR$UNITS_DIR" ]; then return 0; fi
  look_at "$unit"
  if [ "$STATE" = other ]; then
    warn "$unit is another owner's: it stays, and no unit of ours reacts to a firewall"
    return 0
  fi
  plan_written unit "$unit"
  for firewall in $FIREWALLS $LIBVIRT_FIREWALLS; do
    link=$UNITS_DIR/$firewall.service.wants/$UNIT_NAME@$firewall.service
    plan_directory 0755 "${link%/*}"
    look_at "$link"
    plan_written wants "$link"
  done
}

# plan_written ROLE PATH, after look_at PATH: a file whose text stands here. Changed, it stays as it is.
plan_written() {
  case $STATE in changed | other)
    warn "$2 is not as we put it there: it is kept"
    FILE_LINES="$FILE_LINES$(recorded_file "$1" "$2")$NEWLINE"
    return 0
    ;;
  esac
  wanted=$(text_of "$1" | sha256sum | cut -c 1-64)
  FILE_LINES="${FILE_LINES}file $wanted $1 $2$NEWLINE"
  if [ "$STATE" = ours ] && [ "$SUM_THERE" = "$wanted" ] && has_right_mode "$1" "$DESTDIR$2"; then return 0; fi
  plan write "$1" "$2"
}

plan_without_unit() {
  for path in $(say "$RECORD" | sed -n 's/^file [^ ]* unit //p;s/^file [^ ]* wants //p'); do
    case "$NEWLINE$PLAN" in *" unit $path$NEWLINE"*) continue ;; esac
    look_at "$path"
    case $STATE in
    ours) plan drop unit "$path" ;;
    changed) warn "$path was changed since we put it there: it is yours now and stays" ;;
    esac
  done
}

# In a unit a path with spaces stands in quotes, and % begins a specifier.
unit_text() {
  reconcile="\"$(say "$PREFIX/sbin/virt-hooks" | sed 's/["\\]/\\&/g;s/%/%%/g')\" reconcile"
  cat <<EOF
# Made by install.sh of virt-hooks. Once edited it is yours: neither an update nor --uninstall touches it.
[Unit]
Description=Restore what virt-hooks holds on this host after %i was restarted or reloaded
PartOf=%i.service
# Active without that service, it would not be started with it.
Requisite=%i.service
ReloadPropagatedFrom=%i.service
After=%i.service

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=120
# systemd holds firewalld for up, or reloaded, before its rules stand. Once they do it answers.
ExecStartPre=-/usr/bin/firewall-cmd --state
ExecStart=$reconcile
ExecReload=-/usr/bin/firewall-cmd --state
ExecReload=$reconcile

[Install]
WantedBy=%i.service
EOF
}

# text_of ROLE: what is written there; of a link, where it leads.
text_of() {
  case $1 in
  rules) rules_text ;;
  unit) unit_text ;;
  wants) say "$UNITS_DIR/$UNIT" ;;
  esac
}

plan_install() {
  PLAN='' DIRECTORIES='' FILE_LINES='' UNSEEN=''
  plan_directory 0755 "$RECORD_DIR"
  plan_directory 0755 /etc/virt-hooks/rules.d
  plan_directory 0700 /var/log/virt-hooks
  plan_directory 0755 "$PREFIX/sbin"
  plan_directory 0755 "$PREFIX/lib/virt-hooks"
  plan_directory 0755 "$HOOKS_DIR"
  plan_rules
  plan_program install.sh installer "$PREFIX/lib/virt-hooks/install.sh"
  plan_program virt-hooks admin "$PREFIX/sbin/virt-hooks"
  for driver in $DRIVERS; do plan_hook "$driver"; done
  plan_unit
  find_daemons
  compose_record
}

rules_text() {
  cat <<'EOF'
# The rules of virt-hooks on this host. Every line here is a comment: nothing is active yet.
# More files may stand in /etc/virt-hooks/rules.d/NAME.toml; they are read in name order after this one.
#
# Before libvirt meets your rules:    virt-hooks check
# What would happen, and why:         virt-hooks explain qemu GUEST prepare begin
# What has happened:                  virt-hooks history
# Locked out? Every hook does nothing while /etc/virt-hooks/disabled exists:   virt-hooks disable
#
# [[rule]]
# name = "maintenance"
# when = { on = "prepare", file = "/run/maintenance" }
# deny = "This host is in maintenance"
EOF
}

compose_record() {
  RECORD_NEXT=$(
    say "$RECORD_HEAD"
    say "version $VERSION"
    say "prefix $PREFIX"
    say "hooks-dir $HOOKS_DIR"
    say "drivers $CHOICE"
    say "firewall-unit $UNIT_CHOICE"
    say "$RECORD" | sed -n 's/^directory //p' | not_in "$DIRECTORIES" | sed 's/^/directory /'
    printf '%s' "$DIRECTORIES" | sed 's/^/directory /'
    printf '%s' "$FILE_LINES" | sed '/^$/d'
    for driver in $DRIVERS; do
      case "$UNSEEN " in
      *" $driver "*) daemons_of "$driver" | sed "s/^/waiting $driver /" ;;
      *) say "$RECORD" | sed -n "/^waiting $driver /p" ;;
      esac
    done
  )
}

plan_uninstall() {
  PLAN='' RECORD_NEXT='' KEPT=''
  leaving=$DRIVERS_ASKED
  if [ -z "$leaving" ]; then leaving=$(recorded_drivers); fi
  staying=$(recorded_drivers | not_in "$leaving")
  if [ -n "$staying" ]; then
    RECORD_NEXT=$(say "$RECORD" | sed '/^unfinished uninstall$/d' |
      sed "$(say "$leaving" | sed 's,.*,/^file [^ ]* hook:& /d;/^waiting & /d,')")
  fi
  while IFS= read -r line; do
    if ! split_file_line "$line"; then continue; fi
    case "$NEWLINE$RECORD_NEXT$NEWLINE$PLAN" in
    *"$NEWLINE$line$NEWLINE"* | *"drop $F_ROLE $F_PATH$NEWLINE"*) continue ;;
    esac
    # look_at splits lines too
    role=$F_ROLE path=$F_PATH
    look_at "$path"
    case $STATE in
    ours) plan drop "$role" "$path" ;;
    changed) case "$KEPT" in *" $DESTDIR$path$NEWLINE"*) ;; *) KEPT="${KEPT}kept    $DESTDIR$path$NEWLINE" ;; esac ;;
    esac
  done <<EOF
$(say "$RECORD" | sed -n '/ hook:/p')
$(say "$RECORD" | sed '/ hook:/d')
EOF
  if [ -z "$RECORD_NEXT" ]; then plan_folders; fi
}

# The record goes last, but for the folders it is in: until then a run that was interrupted can be run again.
plan_folders() {
  outer=''
  while IFS= read -r folder; do
    if [ -z "$folder" ]; then continue; fi
    case $RECORD_DIR/ in
    "$folder"/*) outer="${outer}rmdir - $folder$NEWLINE" ;;
    *) plan rmdir - "$folder" ;;
    esac
  done <<EOF
$(say "$RECORD" | sed -n 's/^directory //p' | sed '1!G;h;$!d')
EOF
  plan drop record "$RECORD_FILE"
  plan rmdir - "$RECORD_DIR"
  plan rmdir - "${RECORD_DIR%/*}"
  PLAN=$PLAN$outer
}

not_in() {
  while IFS= read -r word; do
    case "$NEWLINE$1$NEWLINE" in *"$NEWLINE$word$NEWLINE"*) ;; *) say "$word" ;; esac
  done
}

print_plan() {
  while IFS= read -r line; do
    if split_step "$line"; then
      case $VERB in
      mkdir) say "would make    $DESTDIR$PATH_OF (mode $ARGUMENT)" ;;
      write) say "would write   $DESTDIR$PATH_OF$(remark_on "$ARGUMENT")" ;;
      put)
        case $ARGUMENT in
        install.sh) say "would put     $DESTDIR$PATH_OF" ;;
        *) say "would put     $DESTDIR$PATH_OF (after starting it as libvirt would)" ;;
        esac
        ;;
      drop) say "would remove  $DESTDIR$PATH_OF" ;;
      rmdir) say "would remove  $DESTDIR$PATH_OF/ if it is empty" ;;
      esac
    fi
  done <<EOF
$PLAN
EOF
  if [ -n "$RECORD_NEXT" ]; then say "would write   $DESTDIR$RECORD_FILE"; fi
  say "Dry run: nothing was changed"
}

# Splits "VERB ARGUMENT PATH"; fails for an empty line.
split_step() {
  if [ -z "$1" ]; then return 1; fi
  PATH_OF=$1
  VERB=${PATH_OF%% *} PATH_OF=${PATH_OF#* }
  ARGUMENT=${PATH_OF%% *} PATH_OF=${PATH_OF#* }
}

# --- doing it, so that it can be taken back -------------------------------------------------------
# UNDO holds lines "VERB ARGUMENT PATH", newest first; each is written before its step is done.

COMMITTED=no RECORD_WRITTEN=no UNDO='' STAGE='' PREFIX_STAGE='' COUNT=0 TURN=''

undo_with() { UNDO="$1 $2 $3$NEWLINE$UNDO"; }

# begin: from here on this run is the only one, and nothing of an interrupted one is left but what the record lists.
begin() {
  take_turn
  if [ "$(cat "$DESTDIR$RECORD_FILE" 2>/dev/null || :)" != "$RECORD" ]; then
    die "Cannot go on: another install.sh has just changed the installation" "run it again"
  fi
  clear_litter
}

make_record_folder() {
  if [ -d "$DESTDIR$1" ]; then return 0; fi
  make_record_folder "$(dirname "$1")"
  if ! output=$(mkdir -m 0755 "$DESTDIR$1" 2>&1); then
    # Another run may have been quicker.
    if [ -d "$DESTDIR$1" ]; then return 0; fi
    die "Cannot make $DESTDIR$1: $output"
  fi
  undo_with rmdir - "$DESTDIR$1"
  finish_directory "$1"
}

# Each run makes a folder whose name is its process number and the time that process was started, then looks for those of
# others: of two runs at least one sees the other and gives way. A killed run blocks no other, also after a reboot: no
# process has its number and its start time.
take_turn() {
  started=$(start_of /proc/$$ 2>/dev/null) ||
    die "Cannot tell whether another install.sh is at work: there is no /proc/$$" "mount /proc"
  turn=$DESTDIR$RECORD_DIR/run.$$.$started
  for _ in 1 2 3 4; do
    make_record_folder "$RECORD_DIR"
    if output=$(mkdir -m 0700 "$turn" 2>&1); then
      TURN=$turn
      if ! other=$(another_run); then
        undo_with end - -
        return 0
      fi
      rmdir "$turn"
      TURN=''
      output="another install.sh (process $other) is at work"
    fi
  done
  die "Cannot work: $output" "where another install.sh is at work, wait until it ends, then run this again"
}

another_run() {
  for run in "$DESTDIR$RECORD_DIR"/run.*; do
    if [ "$run" != "$turn" ] && is_at_work "$run"; then
      run=${run##*/run.}
      say "${run%%.*}"
      return 0
    fi
  done
  return 1
}

# is_at_work RUN: whether the process that made this folder is there.
is_at_work() {
  ids=${1##*/run.}
  case $ids in [0-9]*.[0-9]*) ;; *) return 1 ;; esac
  start_there=$(start_of "/proc/${ids%%.*}" 2>/dev/null) && [ "$start_there" = "${ids#*.}" ]
}

# litter: what interrupted runs left beside the record and as stages, one path a line.
litter() {
  for path in "$DESTDIR$RECORD_DIR"/run.*; do
    if [ -d "$path" ] && [ "$path" != "$TURN" ] && ! is_at_work "$path"; then say "$path"; fi
  done
  for path in "$DESTDIR$RECORD_FILE.new" "$DESTDIR$RECORD_FILE.before"; do
    if [ -f "$path" ]; then say "$path"; fi
  done
  left_in "$(stage_folder)" .virt-hooks-stage
  left_above "$HOOKS_DIR" .virt-hooks-stage
  left_in "$DESTDIR$PREFIX" .virt-hooks-stage-prefix
  left_above "$PREFIX" .virt-hooks-stage-prefix
}

left_in() { if [ -d "${1%/}/$2" ]; then say "${1%/}/$2"; fi; }

# The interrupted run may have made the folders in which a run would stage now.
left_above() {
  above=$1
  while [ "$above" != / ]; do
    above=$(dirname "$above")
    left_in "$DESTDIR$above" "$2"
  done
}

clear_litter() {
  while IFS= read -r path; do
    if [ -n "$path" ]; then try "remove what an interrupted install.sh left" rm -rf "$path"; fi
  done <<EOF
$(litter)
EOF
}

# The folder that HOOKS_DIR is in, or the nearest above it.
stage_folder() {
  if [ -d "$DESTDIR$HOOKS_DIR" ]; then
    dirname "$(cd -P "$DESTDIR$HOOKS_DIR" && pwd -P)"
  else
    say "$DESTDIR$(nearest_folder "$HOOKS_DIR")"
  fi
}

# The stages are folders of root's on the file systems of their targets, but outside hooks/ and every DRIVER.d/, where
# libvirt would run what lies there.
open_stages() {
  undo_with close - -
  stage=$(stage_folder)
  stage=${stage%/}/.virt-hooks-stage
  try "stage beside $HOOKS_DIR" mkdir -m 0700 "$stage"
  STAGE=$stage
  stage=$DESTDIR$(nearest_folder "$PREFIX")
  stage=${stage%/}/.virt-hooks-stage-prefix
  try "stage in $PREFIX" mkdir -m 0700 "$stage"
  PREFIX_STAGE=$stage
}

stage_of() { case $1 in hook* | rules | unit | wants | record) say "$STAGE" ;; *) say "$PREFIX_STAGE" ;; esac; }

# Copies, verifies the copy, starts it: what is renamed into place later is what was tried.
stage_files() {
  while IFS= read -r line; do
    if ! split_step "$line" || [ "$VERB" != put ]; then continue; fi
    staged=$(stage_of "$ARGUMENT")/$(basename "$ARGUMENT")
    try "copy $ARGUMENT" cp "$ARCHIVE/$ARGUMENT" "$staged"
    try "set the mode of $staged" chmod 0755 "$staged"
    if [ "$(id -u)" = 0 ]; then try "give $staged to root" chown 0:0 "$staged"; fi
    if [ "$(sum_of "$staged")" != "$(listed_sum "$ARGUMENT")" ]; then die "Cannot copy $ARGUMENT: the copy differs"; fi
    case $ARGUMENT in
    hooks/* | virt-hooks) start "$ARGUMENT" "$staged" ;;
    esac
    label_for "$PATH_OF" "$staged"
    # Before the rename, so that a power cut cannot leave an empty hook.
    try "write $staged to disk" sync "$staged"
  done <<EOF
$PLAN
EOF
  if [ "$(recorded_value version)" != "$VERSION" ]; then start_those_that_stay; fi
}

# A program that has the right bytes already is not copied; it too must be of the version that the record will name.
start_those_that_stay() {
  while IFS= read -r line; do
    if ! split_file_line "$line"; then continue; fi
    case $NEWLINE$PLAN in *"${NEWLINE}put "*" $F_PATH$NEWLINE"*) continue ;; esac
    case $F_ROLE in
    hook:*) start "hooks/${F_ROLE#hook:}" "$DESTDIR$F_PATH" ;;
    admin) start virt-hooks "$DESTDIR$F_PATH" ;;
    esac
  done <<EOF
$FILE_LINES
EOF
}

execute_plan() {
  while IFS= read -r line; do
    if split_step "$line"; then
      case $VERB in
      mkdir) case $RECORD_DIR/ in "$PATH_OF"/*) ;; *) make_directory ;; esac ;;
      write) write_file ;;
      put) put_file ;;
      drop) if [ "$ARGUMENT" != record ]; then drop_file; fi ;;
      esac
    fi
  done <<EOF
$PLAN
EOF
}

make_directory() {
  undo_with rmdir - "$DESTDIR$PATH_OF"
  try "make $DESTDIR$PATH_OF" mkdir -m "$ARGUMENT" "$DESTDIR$PATH_OF"
  finish_directory "$PATH_OF"
}

finish_directory() {
  if [ "$(id -u)" = 0 ]; then try "give $DESTDIR$1 to root" chown 0:0 "$DESTDIR$1"; fi
  relabel "$1"
  say "made    $DESTDIR$1"
}

write_file() {
  path=$DESTDIR$PATH_OF
  staged=$STAGE/$(basename "$PATH_OF")
  if exists "$path"; then
    COUNT=$((COUNT + 1))
    undo_with restore "$ARGUMENT:$COUNT" "$path"
    try "keep $path" cp -p "$path" "$STAGE/before-$COUNT"
  else
    undo_with remove - "$path"
  fi
  if [ "$ARGUMENT" = wants ]; then
    try "make a link in $STAGE" ln -s "$(text_of wants)" "$staged"
  else
    text_of "$ARGUMENT" >"$staged"
    if [ "$(id -u)" = 0 ]; then try "give $staged to root" chown 0:0 "$staged"; fi
  fi
  try "write $path" mv -f "$staged" "$path"
  relabel "$PATH_OF"
  say "wrote   $path$(remark_on "$ARGUMENT")"
}

remark_on() { if [ "$1" = rules ]; then say ' (no rule is active)'; fi; }

# A new file comes by a hard link and not by mv: that never overwrites what another has put there meanwhile, and never
# falls back to copying (a bind mount is a border for rename too). What we replace is linked into the stage first.
put_file() {
  stage=$(stage_of "$ARGUMENT")
  path=$DESTDIR$PATH_OF
  staged=$stage/$(basename "$ARGUMENT")
  if exists "$path"; then
    COUNT=$((COUNT + 1))
    undo_with restore "$ARGUMENT:$COUNT" "$path"
    across "$path" "$stage/before-$COUNT"
    try "put $path" mv -f "$staged" "$path"
  else
    undo_with unlink "$ARGUMENT" "$path"
    across "$staged" "$path"
  fi
  relabel "$PATH_OF"
  say "put     $path"
}

# across FROM TO: a hard link between a stage and the place it is for.
across() {
  if ! output=$(ln "$1" "$2" 2>&1); then
    die "Cannot link $1 to $2: $output" "if that folder is a mount of its own, unmount it, install, mount it again"
  fi
}

drop_file() {
  COUNT=$((COUNT + 1))
  undo_with restore "$ARGUMENT:$COUNT" "$DESTDIR$PATH_OF"
  try "remove $DESTDIR$PATH_OF" mv -f "$DESTDIR$PATH_OF" "$(stage_of "$ARGUMENT")/before-$COUNT"
  say "removed $DESTDIR$PATH_OF"
}

# When the files are gone: the folders, then the record. What is not empty is somebody's.
remove_the_rest() {
  while IFS= read -r line; do
    if ! split_step "$line"; then continue; fi
    case $VERB:$ARGUMENT in
    rmdir:*) remove_directory ;;
    drop:record)
      try "remove $DESTDIR$PATH_OF" rm -f "$DESTDIR$PATH_OF.before" "$DESTDIR$PATH_OF"
      say "removed $DESTDIR$PATH_OF"
      end
      ;;
    esac
  done <<EOF
$PLAN
EOF
}

remove_directory() {
  if [ ! -d "$DESTDIR$PATH_OF" ]; then return 0; fi
  if rmdir "$DESTDIR$PATH_OF" 2>/dev/null; then
    say "removed $DESTDIR$PATH_OF/"
  else
    say "kept    $DESTDIR$PATH_OF/ (not empty)"
  fi
}

write_record() {
  path=$DESTDIR$RECORD_FILE
  if [ "$RECORD_WRITTEN" = no ]; then
    if [ -e "$path" ]; then
      try "keep the old record" ln -f "$path" "$path.before"
      undo_with rename - "$path"
    else
      undo_with remove - "$path"
    fi
    RECORD_WRITTEN=yes
  fi
  if ! printf '%s\n' "$1" >"$path.new"; then die "Cannot write $path.new"; fi
  try "write $path" mv -f "$path.new" "$path"
}

# Runs at every exit: takes back what was begun, clears the stages.
finish() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM PIPE
  set +e
  if [ "$COMMITTED" = no ] && [ -n "$UNDO" ]; then
    while IFS= read -r line; do
      if split_step "$line"; then take_back; fi
    done <<EOF
$UNDO
EOF
    printf 'install.sh: everything that was begun was taken back\n' >&2
  fi
  close_stages
  end
  exit "$status"
}

close_stages() {
  if [ -n "$PREFIX_STAGE" ]; then rm -rf "$PREFIX_STAGE"; fi
  if [ -n "$STAGE" ]; then rm -rf "$STAGE"; fi
  PREFIX_STAGE='' STAGE=''
}

# end: the turn of another run may come.
end() {
  if [ -z "$TURN" ]; then return 0; fi
  rm -f "$DESTDIR$RECORD_FILE.before" "$DESTDIR$RECORD_FILE.new"
  rmdir "$TURN"
  TURN=''
}

take_back() {
  case $VERB in
  remove) rm -f "$PATH_OF" "$PATH_OF.new" ;;
  # only if it is our link: another may have been quicker
  unlink) if is_same_file "$PATH_OF" "$(stage_of "$ARGUMENT")/$(basename "$ARGUMENT")"; then rm -f "$PATH_OF"; fi ;;
  rmdir) rmdir "$PATH_OF" 2>/dev/null ;;
  close) close_stages ;;
  end) end ;;
  rename) mv -f "$PATH_OF.before" "$PATH_OF" ;;
  restore)
    before=$(stage_of "${ARGUMENT%:*}")/before-${ARGUMENT##*:}
    if exists "$before"; then mv -f "$before" "$PATH_OF"; fi
    ;;
  esac
}

is_same_file() { [ "$(stat -c %d:%i "$1" 2>/dev/null)" = "$(stat -c %d:%i "$2" 2>/dev/null)" ]; }

# --- SELinux --------------------------------------------------------------------------------------

selinux_is_on() {
  [ -z "$DESTDIR" ] && command -v restorecon >/dev/null 2>&1 &&
    { [ -e /sys/fs/selinux/enforce ] || { command -v selinuxenabled >/dev/null 2>&1 && selinuxenabled; }; }
}

# label_for PATH STAGED: gives the staged file the label of its place, so that it is right from the rename on.
label_for() {
  if selinux_is_on && command -v matchpathcon >/dev/null 2>&1; then
    if ! chcon "$(matchpathcon -n "$1")" "$2"; then warn "the SELinux label of $1 is set only after the rename"; fi
  fi
}

relabel() {
  if selinux_is_on && ! restorecon "$1"; then warn "restorecon $1 failed: libvirt may not be allowed to run it"; fi
}

# --- what the administrator reads -----------------------------------------------------------------

install_now() {
  if [ -z "$PLAN" ] && [ "$RECORD_NEXT" = "$RECORD" ]; then
    tidy_up
    say "virt-hooks $VERSION is already installed: nothing to do"
    advise_reload "If it has not since the hooks came, run:"
    return 0
  fi
  if [ "$DRY_RUN" = yes ]; then
    print_plan
    advise_reload "After the installation run:"
    advise_units "After the installation run:"
    return 0
  fi
  begin
  # What is there stays in the record until it is replaced.
  replaced=$(say "$RECORD" | sed -n '/^file /p' | not_in "$RECORD_NEXT")
  write_record "$RECORD_NEXT${NEWLINE}unfinished install${replaced:+$NEWLINE$replaced}"
  open_stages
  stage_files
  say "All that are new were started as libvirt starts them, and answer"
  execute_plan
  write_record "$RECORD_NEXT"
  COMMITTED=yes
  close_stages
  end
  say_what_was_done
  advise_reload "Run this now:"
  advise_units "Run this now:"
  say "Rules: $DESTDIR$RULES_FILE; check them with: $PREFIX/sbin/virt-hooks check"
  say "Later: sh $PREFIX/lib/virt-hooks/install.sh --status (or --uninstall)"
}

# Where a run has nothing else to do.
tidy_up() {
  if [ "$DRY_RUN" = yes ] || [ -z "$(litter)" ]; then return 0; fi
  begin
  COMMITTED=yes
  end
  say "Removed what an interrupted install.sh had left"
}

say_what_was_done() {
  before=$(recorded_value version)
  if [ -z "$before" ] || [ "$before" = "$VERSION" ]; then
    say "Installed: virt-hooks $VERSION for$DRIVERS"
    return 0
  fi
  if is_older "$VERSION" "$before"; then verb=Downgraded; else verb=Updated; fi
  say "$verb: virt-hooks from $before to $VERSION for$DRIVERS"
  say "To go back: run the install.sh of the archive of $before"
}

# is_older A B, by the numbers MAJOR.MINOR.PATCH at their beginning.
is_older() {
  a=$1. b=$2.
  for _ in major minor patch; do
    x=${a%%[!0-9]*} y=${b%%[!0-9]*} a=${a#*.} b=${b#*.}
    if [ "${x:-0}" -lt "${y:-0}" ]; then return 0; fi
    if [ "${x:-0}" -gt "${y:-0}" ]; then return 1; fi
  done
  return 1
}

# Daemons that were already running when their driver got its first hook, and still do.
waiting_daemons() {
  say "$RECORD_NEXT" | sed -n "s/^waiting $1 //p" | while IFS= read -r line; do
    case "$NEWLINE$DAEMONS" in *"$NEWLINE$line$NEWLINE"*) say "$line" ;; esac
  done
}

# advise_reload WHEN
advise_reload() {
  waiting=$(for driver in $DRIVERS; do waiting_daemons "$driver"; done)
  if [ -n "$waiting" ]; then
    say "libvirt looks for new hooks only when it starts or reloads. $1"
    reload_commands "$waiting" | sed 's/^/  /'
    say "(a reload leaves guests and networks running)"
  elif [ -n "$UNSEEN" ] && [ -z "$DESTDIR" ]; then
    say "No libvirt daemon that runs these hooks is up: it finds them when it starts"
  fi
}

# instances SERVICE...: the unit's instances for them, as systemctl names them.
instances() { say "$*" | sed "s/[^ ]*/$UNIT_NAME@&/g"; }

# active_of UNIT...: those that are active now.
active_of() {
  found=''
  for name; do
    if systemctl is-active --quiet "$name.service" 2>/dev/null; then found="$found $name"; fi
  done
  say "${found# }"
}

# Whether a rule of this host forwards or opens something, so that libvirt's own rules matter.
has_forwards() {
  for file in "$DESTDIR$RULES_FILE" "$DESTDIR${RULES_FILE%/*}"/rules.d/*.toml; do
    if [ -f "$file" ] && grep -Eq '^[^#]*(forward|open)("|'\''|[[:space:]])*(=|\.|])' "$file"; then return 0; fi
  done
  return 1
}

# advise_units WHEN, where the plan changes the unit and systemd runs. Reloads reach a unit only while it is active.
advise_units() {
  # sd_booted(3) asks for this folder.
  if [ ! -d /run/systemd/system ]; then return 0; fi
  case $PLAN in
  *"write unit $UNITS_DIR/"*) commands=$(start_commands) ;;
  *"drop unit $UNITS_DIR/"*) commands=$(stop_commands) ;;
  *) return 0 ;;
  esac
  if [ -z "$DESTDIR" ] && [ -n "$commands" ]; then
    say "systemd reads changed units only when it is told to. $1"
    say "  $commands"
  fi
}

# Nothing where no firewall runs that could take anything away. The instance of a service that does not run starts with it.
# shellcheck disable=SC2086 # lists of names
start_commands() {
  if [ -z "$(active_of $FIREWALLS)" ] && ! has_forwards; then return 0; fi
  active=$(active_of $FIREWALLS $LIBVIRT_FIREWALLS)
  say "systemctl daemon-reload${active:+ && systemctl start $(instances $active)}"
}

# shellcheck disable=SC2046,SC2086 # lists of names
stop_commands() {
  active=$(active_of $(instances $FIREWALLS $LIBVIRT_FIREWALLS))
  say "${active:+systemctl stop $active; }systemctl daemon-reload"
}

# Without hooks nobody would put back what guests hold.
require_nothing_held() {
  for file in "$DESTDIR$LEDGER_DIR"/resources/*/state.json "$DESTDIR$LEDGER_DIR"/resources/*/demands/*.json; do
    if [ -e "$file" ]; then
      die "Cannot uninstall: guests or networks still hold something of this host, which only the hooks restore" \
        "\"virt-hooks status\" shows it; stop them, or give it back with \"virt-hooks release HOLDER\""
    fi
  done
}

uninstall_now() {
  if [ -z "$RECORD" ]; then
    remove_empty_folders
    say "virt-hooks is not installed: there is no $DESTDIR$RECORD_FILE"
    return 0
  fi
  if [ "$RECORD_NEXT" = "$RECORD" ]; then
    tidy_up
    say "virt-hooks is not installed for: $(say "$DRIVERS_ASKED" | tr '\n' ' ')"
    return 0
  fi
  printf '%s' "$KEPT" | sed 's/$/ (changed since we put it there: it is yours now)/'
  if [ "$DRY_RUN" = yes ]; then
    print_plan
    return 0
  fi
  begin
  write_record "$(say "$RECORD" | sed '/^unfinished uninstall$/d')${NEWLINE}unfinished uninstall"
  open_stages
  execute_plan
  if [ -n "$RECORD_NEXT" ]; then write_record "$RECORD_NEXT"; fi
  COMMITTED=yes
  close_stages
  if [ -z "$RECORD_NEXT" ]; then
    rm -rf "$DESTDIR${LEDGER_DIR%/*}"
    remove_the_rest
  fi
  end
  advise_units "Run this now:"
  say "Uninstalled. libvirt needs no reload: it looks for each file at every call"
}

# Where a run was interrupted before it wrote the record, or after it had removed it.
remove_empty_folders() {
  if [ "$DRY_RUN" = yes ] || [ ! -d "$DESTDIR${RECORD_DIR%/*}" ]; then return 0; fi
  begin
  COMMITTED=yes
  end
  for PATH_OF in "$RECORD_DIR" "${RECORD_DIR%/*}"; do remove_directory; done
}

show_status() {
  version=$(libvirt_version)
  say "libvirt ${version:-of unknown version}, hooks in $DESTDIR$HOOKS_DIR"
  if [ -z "$RECORD" ]; then
    say "virt-hooks is not installed: there is no $DESTDIR$RECORD_FILE"
    return 1
  fi
  say "virt-hooks $(recorded_value version), recorded in $DESTDIR$RECORD_FILE"
  intact=0 RECORD_NEXT=$RECORD
  show_unfinished
  find_daemons
  while IFS= read -r line; do
    if ! split_file_line "$line" || [ "$F_ROLE" = rules ]; then continue; fi
    case $F_ROLE in hook:*) continue ;; esac
    path=$F_PATH
    state_words "$F_ROLE" "$path"
    say "$DESTDIR$path: $WORDS"
  done <<EOF
$RECORD
EOF
  for driver in $ALL_DRIVERS; do show_driver "$driver"; done
  return "$intact"
}

show_unfinished() {
  case $(recorded_value unfinished) in
  '') return 0 ;;
  *uninstall) what='install.sh --uninstall' ;;
  *) what=install.sh ;;
  esac
  say "unfinished: $what is at work, or was interrupted; where it is not at work, run it again"
  intact=1
}

# state_words ROLE PATH
state_words() {
  look_at "$2"
  case $STATE in
  ours)
    WORDS=intact
    if ! has_right_mode "$1" "$DESTDIR$2"; then WORDS='its bytes are intact, its mode or owner is not'; fi
    ;;
  absent) WORDS=missing ;;
  *) WORDS='changed since it was installed' ;;
  esac
  if [ "$WORDS" != intact ]; then intact=1; fi
}

show_driver() {
  say "$1"
  places=$(say "$RECORD" | sed -n "s/^file [^ ]* hook:$1 //p")
  if [ -z "$places" ]; then say "  not installed"; fi
  while IFS= read -r path; do
    if [ -n "$path" ]; then
      state_words hook "$path"
      case $path in */"$DROP_IN") place='drop-in' ;; *) place='main' ;; esac
      say "  $place $DESTDIR$path: $(recorded_value version), $WORDS"
    fi
  done <<EOF
$places
EOF
  show_neighbours "$1"
  if [ -n "$places" ]; then show_notice "$1"; fi
}

show_neighbours() {
  for entry in "$DESTDIR$HOOKS_DIR/$1" "$DESTDIR$HOOKS_DIR/$1.d"/* "$DESTDIR$HOOKS_DIR/$1.d"/.[!.]* \
    "$DESTDIR$HOOKS_DIR/$1.d"/..?*; do
    if ! exists "$entry" || [ -d "$entry" ]; then continue; fi
    case "$NEWLINE$places$NEWLINE" in *"$NEWLINE${entry#"$DESTDIR"}$NEWLINE"*) continue ;; esac
    if ! is_run "$entry"; then
      say "  another's $entry: not executable, libvirt does not run it"
      continue
    fi
    case ${entry##*/} in
    .* | *~ | '#'* | *.bak | *.old | *.orig | *.rej | *.save | *.swp | *.tmp | *.new | *.dpkg-* | *.ucf-* | *.rpm?* | \
      *README*)
      say "  by accident? $entry: libvirt runs it (remove it, or chmod -x)"
      ;;
    "$1") say "  another's $entry: libvirt runs it too, before everything in $1.d/" ;;
    *) say "  another's $entry: libvirt runs it too" ;;
    esac
  done
}

show_notice() {
  if [ -z "$(daemons_of "$1")" ]; then
    if [ "$(id -u)" = 0 ]; then
      say "  no libvirt daemon that runs it is up: it finds it when it starts"
    else
      say "  whether libvirt has noticed only root can see"
    fi
    return 0
  fi
  waiting=$(waiting_daemons "$1")
  if [ -z "$waiting" ]; then
    daemons_of "$1" | sed 's/^\([0-9]*\) [0-9]* \(.*\)/  noticed by \2 (process \1): it started later, or had a hook here before/'
  else
    say "  perhaps unnoticed: libvirt was running before the hook came; if it was not reloaded since:"
    reload_commands "$waiting" | sed 's/^/    /'
  fi
}

# --- table of contents ----------------------------------------------------------------------------

parse_options "$@"
require_base_system
require_root
read_record
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM
case $MODE in
install)
  find_archive
  choose_drivers
  require_safe_folders
  verify_archive
  plan_install
  install_now
  ;;
uninstall)
  require_nothing_held
  plan_uninstall
  uninstall_now
  ;;
status)
  show_status
  ;;
esac
