/**
 * `/proc/self/mountinfo`: which file systems can be looked at without waiting for a server.
 * @module
 */

/** A mounted file system. */
export interface Mount {
  readonly path: string;
  /** As the kernel names it: `ext4`, `fuse.sshfs`. */
  readonly type: string;
}

/** File systems that the kernel serves from memory or from a disk of this host. What is not listed may wait for a server. */
const LOCAL_TYPES =
  /^(bcachefs|binfmt_misc|bpf|btrfs|cgroup2?|configfs|cramfs|debugfs|devpts|devtmpfs|efivarfs|erofs|exfat|ext[234]|f2fs|fusectl|hfsplus|hugetlbfs|iso9660|jfs|minix|mqueue|nilfs2|nsfs|ntfs3|overlay|proc|pstore|ramfs|reiserfs|resctrl|rootfs|rpc_pipefs|securityfs|selinuxfs|smackfs|squashfs|sysfs|tmpfs|tracefs|ubifs|udf|vfat|xfs|zfs)$/;

/** Names of backing devices that wait for no server: block devices, and file systems on them that have one of their own. */
const LOCAL_BACKING = /^([1-9]\d*:\d+|(bcachefs|btrfs|ecryptfs|mtd|overlay|ubifs|vmblock|zfs)-\d+.*)$/;

/**
 * Whether file systems that may wait for a server can be mounted, by the names in `/sys/class/bdi`: each NFS, FUSE, SMB, Ceph,
 * 9p and the like has a backing device there, with the major number 0 or named after the file system
 * (`super_setup_bdi` in Linux's fs/super.c, fs/nfs/super.c, fs/fuse/inode.c). An automount that has not mounted yet has none.
 */
export function mayHaveServers(backingDevices: readonly string[] | undefined): boolean {
  return backingDevices === undefined || backingDevices.some((name) => !LOCAL_BACKING.test(name));
}

/** The mounts of `/proc/self/mountinfo` (proc_pid_mountinfo(5)), each mount point once, with what is mounted on it last. */
export function parseMounts(text: string): readonly Mount[] {
  const mounts = new Map<string, Mount>();
  for (const line of text.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const path = before.split(" ")[4];
    const [type = ""] = after.split(" ");
    if (path !== undefined) mounts.set(path, { path: unescape(path), type });
  }
  return [...mounts.values()];
}

/** The kernel writes space, tab, newline and backslash as `\ooo`. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/**
 * The mount that a path without links is on, where looking at it may wait for a server; else `undefined`. The mount on `/` never
 * counts: when it does not answer, no program of this host starts, this one included.
 */
export function remoteMount(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    if (mount.path === "/" || mount.path.length <= (found?.path.length ?? 0)) continue;
    if (path === mount.path || path.startsWith(`${mount.path}/`)) found = mount;
  }
  return found === undefined || LOCAL_TYPES.test(found.type) ? undefined : found;
}
