/**
 * The namespaces that documents of libvirt use, by their usual prefixes.
 * @module
 */

/** The namespace of our own elements in `<metadata>`. */
export const VIRT_HOOKS_NAMESPACE = "urn:virt-hooks:1";

/**
 * What a prefix in a path means when the rule does not say. A document may use another prefix for the same URI:
 * only the URI counts.
 */
export const libvirtNamespaces = {
  /** `<qemu:commandline>` (since 0.8.3), `<qemu:override>` (since 8.2.0). */
  qemu: "http://libvirt.org/schemas/domain/qemu/1.0",
  /** `<lxc:namespace>`: network, IPC or UTS namespaces shared with another container or process. */
  lxc: "http://libvirt.org/schemas/domain/lxc/1.0",
  /** `<xen:commandline>` of the libxl driver, since 6.7.0. */
  xen: "http://libvirt.org/schemas/domain/xen/1.0",
  /** `<bhyve:commandline>`, since 5.1.0. */
  bhyve: "http://libvirt.org/schemas/domain/bhyve/1.0",
  /** `<vmware:datacenterpath>`. */
  vmware: "http://libvirt.org/schemas/domain/vmware/1.0",
  /** `<dnsmasq:options>` of a network, since 5.6.0. */
  dnsmasq: "http://libvirt.org/schemas/network/dnsmasq/1.0",
  /** What virt-install, virt-manager and GNOME Boxes write into `<metadata>`. */
  libosinfo: "http://libosinfo.org/xmlns/libvirt/domain/1.0",
  /** What OpenStack writes into `<metadata>`. */
  nova: "http://openstack.org/xmlns/libvirt/nova/1.1",
  vh: VIRT_HOOKS_NAMESPACE,
} as const satisfies Readonly<Record<string, string>>;
