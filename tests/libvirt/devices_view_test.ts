import { type DiskSource, domainDisks } from "../../lib/libvirt/disks.ts";
import { type DomainHostdev, domainHostdevs, type HostdevSource, hostPciDevices } from "../../lib/libvirt/hostdevs.ts";
import { domainInterfaces } from "../../lib/libvirt/interfaces.ts";
import { pciAddress } from "../../lib/libvirt/pci_address.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals } from "../support/assert.ts";
import { capturedDomain, domainOf, domainWithDevices, LIBXL_DOMAIN } from "./documents.ts";

/** What each phase knows of an interface on a network: port, bridge and tap only while the guest runs. */
const INTERFACES = [
  { capture: "qemu-prepare.xml", port: false, bridge: undefined, target: undefined, alias: undefined },
  { capture: "qemu-started.xml", port: true, bridge: "virbr0", target: "vnet15", alias: "net0" },
  { capture: "qemu-release.xml", port: false, bridge: undefined, target: undefined, alias: "net0" },
  { capture: "qemu-migrate.xml", port: false, bridge: undefined, target: undefined, alias: undefined },
  { capture: "lxc-prepare.xml", port: false, bridge: undefined, target: undefined, alias: undefined },
  { capture: "lxc-started.xml", port: true, bridge: "virbr0", target: "vnet17", alias: undefined },
];
for (const { capture, port, bridge, target, alias } of INTERFACES) {
  Deno.test(`domainInterfaces() tells what ${capture} knows`, () => {
    const [first] = domainInterfaces(capturedDomain(capture));
    assertEquals([first?.type, first?.network, first?.portId !== undefined], ["network", "default", port]);
    assertEquals([first?.bridge, first?.target, first?.alias], [bridge, target, alias]);
  });
}

Deno.test("domainInterfaces() tells all of one interface, and the next", () => {
  assertEquals(domainInterfaces(capturedDomain("qemu-started.xml")).map(({ type, mac }) => [type, mac]), [
    ["network", "52:54:00:f5:e6:bc"],
    ["user", "52:54:00:9e:82:2d"],
  ]);
  assertEquals(domainInterfaces(capturedDomain("lxc-started.xml")), [{
    type: "network",
    mac: "52:54:00:67:0d:fe",
    network: "default",
    portGroup: undefined,
    bridge: "virbr0",
    sourceDev: undefined,
    portId: "0a149d5f-242f-4a7f-8d7d-b4e497b9318c",
    target: "vnet17",
    guestDev: "eth0",
    model: undefined,
    alias: undefined,
    backendDomain: undefined,
    addresses: [],
  }]);
});

Deno.test("domainInterfaces() reads one of libxl, with its address and its backend", () => {
  const [first] = domainInterfaces(parseDocument(LIBXL_DOMAIN).root);
  assertEquals([first?.type, first?.bridge, first?.target], ["bridge", "xenbr1", "vif7.0"]);
  assertEquals([first?.mac, first?.backendDomain], ["00:16:3e:66:92:9c", "netdom"]);
  assertEquals(first?.addresses, [{ address: "192.0.2.7", family: "ipv4", prefix: 24 }]);
});

Deno.test("domainInterfaces() reads addresses of either family, and leaves out what is none", () => {
  const [first] = domainInterfaces(domainWithDevices(
    "<interface type='direct'><source dev='eth1' mode='vepa'/><mac address='no'/>" +
      "<ip address='2001:db8::7'/><ip address='192.0.2.7' prefix='64'/><ip/><ip address='x' family='ipx'/></interface>",
  ));
  assertEquals([first?.sourceDev, first?.mac], ["eth1", undefined]);
  assertEquals(first?.addresses, [
    { address: "2001:db8::7", family: "ipv6", prefix: undefined },
    { address: "192.0.2.7", family: "ipv4", prefix: undefined },
  ]);
});

Deno.test("domainDisks() reads the disks of real guests", () => {
  assertEquals(domainDisks(capturedDomain("qemu-started.xml")), [{
    device: "disk",
    source: { kind: "file", file: "/tmp/lvn/d1.raw" },
    format: "raw",
    target: "vda",
    bus: "virtio",
    readOnly: false,
    shareable: false,
    alias: "virtio-disk0",
  }]);
  const disks = domainDisks(capturedDomain("qemu-started-bigvm.xml"));
  const cdrom = disks.find(({ device }) => device === "cdrom");
  assertEquals([disks.length, cdrom?.source, cdrom?.readOnly, cdrom?.target], [13, undefined, true, "sda"]);
  assertEquals(domainDisks(capturedDomain("lxc-started.xml")), []);
});

const SOURCES: readonly { readonly xml: string; readonly want: DiskSource | undefined }[] = [
  { xml: "<disk><source file='/a'/></disk>", want: { kind: "file", file: "/a" } },
  { xml: "<disk type='block'><source dev='/dev/vg/a'/></disk>", want: { kind: "block", dev: "/dev/vg/a" } },
  { xml: "<disk type='dir'><source dir='/srv'/></disk>", want: { kind: "dir", dir: "/srv" } },
  {
    xml: "<disk type='volume'><source pool='p' volume='v'/></disk>",
    want: { kind: "volume", pool: "p", volume: "v" },
  },
  {
    xml: "<disk type='network'><source protocol='rbd' name='pool/image'><host name='ceph1' port='6789'/>" +
      "<host name='ceph2'/><host transport='unix' socket='/run/s'/><host/></source></disk>",
    want: { kind: "network", protocol: "rbd", name: "pool/image", hosts: ["ceph1:6789", "ceph2", "/run/s"] },
  },
  {
    xml: "<disk type='nvme'><source type='pci' managed='yes' namespace='1'>" +
      "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source></disk>",
    want: { kind: "nvme", address: "0000:01:00.0", managed: true },
  },
  {
    xml: "<disk type='vhostuser'><source type='unix' path='/run/v.sock'/></disk>",
    want: { kind: "vhostuser", path: "/run/v.sock" },
  },
  {
    xml: "<disk type='vhostvdpa'><source dev='/dev/vhost-vdpa-0'/></disk>",
    want: { kind: "vhostvdpa", dev: "/dev/vhost-vdpa-0" },
  },
  { xml: "<disk type='volume'><source pool='p'/></disk>", want: undefined },
  { xml: "<disk type='file'/>", want: undefined },
  { xml: "<disk type='vdpa9'><source file='/a'/></disk>", want: undefined },
];
for (const { xml, want } of SOURCES) {
  Deno.test(`domainDisks() reads ${xml}`, () => assertEquals(domainDisks(domainWithDevices(xml))[0]?.source, want));
}

const ADDRESSES = [
  { xml: "domain='0x0000' bus='0x01' slot='0x1f' function='0x7'", want: "0000:01:1f.7" },
  { xml: "domain='65536' bus='255' slot='010' function='0'", want: "10000:ff:08.0" },
  { xml: "bus='3'", want: "0000:03:00.0" },
  { xml: "slot='0'", want: "0000:00:00.0" },
  { xml: "bus='0x100' slot='0'", want: undefined },
  { xml: "bus='0' slot='32'", want: undefined },
  { xml: "bus='0' slot='0' function='8'", want: undefined },
  { xml: "bus='0' slot='-1'", want: undefined },
  { xml: "bus='zero' slot='0'", want: undefined },
  { xml: "uuid='x'", want: undefined },
];
for (const { xml, want } of ADDRESSES) {
  Deno.test(`pciAddress() reads ${xml}`, () => {
    assertEquals(pciAddress(parseDocument(`<address ${xml}/>`).root), want);
  });
}

const HOSTDEVS: readonly { readonly xml: string; readonly want: DomainHostdev }[] = [
  {
    xml: "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>" +
      "<source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>" +
      "<address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/></hostdev>",
    want: {
      element: "hostdev",
      mode: "subsystem",
      type: "pci",
      managed: true,
      driver: "vfio",
      source: { kind: "pci", address: "0000:01:00.0" },
    },
  },
  {
    xml: "<interface type='hostdev' managed='no'><mac address='52:54:00:00:00:01'/><driver name='vfio'/>" +
      "<source network='vfs'><address type='pci' bus='0x02' slot='0x10' function='0x4'/></source></interface>",
    want: {
      element: "interface",
      mode: "subsystem",
      type: "pci",
      managed: false,
      driver: "vfio",
      source: { kind: "pci", address: "0000:02:10.4" },
    },
  },
];
for (const { xml, want } of HOSTDEVS) {
  Deno.test(`domainHostdevs() reads ${xml.slice(0, 50)}`, () => {
    assertEquals(domainHostdevs(domainWithDevices(xml)), [want]);
  });
}

interface SourceCase {
  readonly type: string;
  readonly source: string;
  readonly want: HostdevSource | undefined;
}

const HOSTDEV_SOURCES: readonly SourceCase[] = [
  {
    type: "usb",
    source: "<vendor id='0x1234'/><product id='0xBEEF'/>",
    want: { kind: "usb", bus: undefined, device: undefined, vendor: "0x1234", product: "0xbeef" },
  },
  {
    type: "usb",
    source: "<address bus='14' device='6'/>",
    want: { kind: "usb", bus: 14, device: 6, vendor: undefined, product: undefined },
  },
  {
    type: "usb",
    source: "<address bus='0x14' device='017'/>",
    want: { kind: "usb", bus: 20, device: 15, vendor: undefined, product: undefined },
  },
  {
    type: "usb",
    source: "<address bus='+0X14' device=' 7'/>",
    want: { kind: "usb", bus: 20, device: 7, vendor: undefined, product: undefined },
  },
  { type: "usb", source: "<address bus='0x14 ' device='7'/>", want: undefined },
  { type: "usb", source: "<address bus='08' device='7'/>", want: undefined },
  { type: "usb", source: "<address bus='0x' device='7'/>", want: undefined },
  { type: "usb", source: "<address bus='4294967296' device='7'/>", want: undefined },
  { type: "usb", source: "<vendor id='0x1234'/>", want: undefined },
  { type: "usb", source: "<vendor id='0x12345'/><product id='1'/>", want: undefined },
  {
    type: "mdev",
    source: "<address uuid='C2177883-F1BB-47F0-914D-32A22E3A8804'/>",
    want: { kind: "mdev", uuid: "c2177883-f1bb-47f0-914d-32a22e3a8804" },
  },
  {
    type: "scsi",
    source: "<adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>",
    want: { kind: "scsi", adapter: "scsi_host0" },
  },
  { type: "storage", source: "<block>/dev/sdf1</block>", want: { kind: "storage", name: "/dev/sdf1" } },
  { type: "misc", source: "<char>/dev/input/event3</char>", want: { kind: "misc", name: "/dev/input/event3" } },
  { type: "net", source: "<interface>eth0</interface>", want: { kind: "net", name: "eth0" } },
  { type: "pci", source: "", want: undefined },
  { type: "newer", source: "<address bus='1' slot='1'/>", want: undefined },
];
for (const { type, source, want } of HOSTDEV_SOURCES) {
  Deno.test(`domainHostdevs() reads the source of ${type}: ${source}`, () => {
    const xml = `<hostdev mode='capabilities' type='${type}'><source>${source}</source></hostdev>`;
    const [first] = domainHostdevs(domainWithDevices(xml));
    assertEquals([first?.mode, first?.source], ["capabilities", want]);
  });
}

Deno.test("domainHostdevs() tells none where there are none, and ordinary interfaces are none", () => {
  assertEquals(domainHostdevs(capturedDomain("qemu-started-bigvm.xml")), []);
  assertEquals(domainHostdevs(domainOf("")), []);
});

Deno.test("hostPciDevices() tells the devices of hostdevs, interfaces and NVMe disks, each once", () => {
  const address = (bus: string): string => `<source><address type='pci' bus='${bus}' slot='0'/></source>`;
  const domain = domainWithDevices(
    `<disk type='nvme'>${address("9")}</disk>` +
      `<disk type='nvme'>${address("9")}</disk>` +
      `<interface type='hostdev' managed='yes'>${address("2")}</interface>` +
      `<hostdev type='pci' managed='yes'>${address("1")}</hostdev>` +
      "<hostdev type='usb'><source><address bus='1' device='1'/></source></hostdev>",
  );
  assertEquals(hostPciDevices(domain), [
    { address: "0000:01:00.0", managed: true },
    { address: "0000:02:00.0", managed: true },
    { address: "0000:09:00.0", managed: false },
  ]);
});

Deno.test("hostPciDevices() reads a guest of libxl", () => {
  assertEquals(hostPciDevices(parseDocument(LIBXL_DOMAIN).root), [{ address: "0000:0a:10.1", managed: true }]);
});
