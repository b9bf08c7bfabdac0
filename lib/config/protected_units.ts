/**
 * Units of systemd that no hook may start or stop.
 * @module
 */

/** libvirt's daemons, each with sockets of its own. */
const LIBVIRT_DAEMONS = [
  ...["libvirtd", "virtqemud", "virtlxcd", "virtxend", "virtvboxd", "virtvzd", "virtbhyved", "virtchd", "virtproxyd"],
  ...["virtinterfaced", "virtnetworkd", "virtnodedevd", "virtnwfilterd", "virtsecretd", "virtstoraged"],
  ...["virtlogd", "virtlockd"],
] as const;

const PROTECTED = [
  {
    pattern: new RegExp(`^(${LIBVIRT_DAEMONS.join("|")})(-(ro|admin|tcp|tls))?\\.`),
    expected: "no unit of libvirt's own: libvirt waits for this very hook",
  },
  {
    pattern: /^(libvirt-guests|virt-guest-shutdown|virt-secret-init-encryption)\./,
    expected: "no unit of libvirt's own: it starts and stops guests itself",
  },
  {
    pattern: /^(dbus|dbus-broker|systemd-.*)\./,
    expected: "no unit that systemd itself needs, and so libvirt",
  },
] as const;

/** What is expected instead of this unit; `undefined` for one that may be touched. */
export function whyProtected(unit: string): string | undefined {
  return PROTECTED.find(({ pattern }) => pattern.test(unit))?.expected;
}
