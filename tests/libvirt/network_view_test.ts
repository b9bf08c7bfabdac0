import { hookDataDomain, hookDataInterface, hookDataNetwork, hookDataPort } from "../../lib/libvirt/hook_data.ts";
import { domainName } from "../../lib/libvirt/domain.ts";
import {
  networkBridge,
  networkConnections,
  networkDomainName,
  networkForward,
  networkMac,
  networkName,
  networkTitle,
  networkUuid,
} from "../../lib/libvirt/network.ts";
import { networkAddresses, networkRoutes } from "../../lib/libvirt/network_addresses.ts";
import { type NetworkPlug, readNetworkPort } from "../../lib/libvirt/network_port.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import type { XmlElement } from "../../lib/xml/tree.ts";
import { assertEquals } from "../support/assert.ts";
import { readFixture } from "../xml/fixtures.ts";

function networkOf(content: string): XmlElement {
  return parseDocument(`<network>${content}</network>`).root;
}

function captured(capture: string): XmlElement {
  return parseDocument(readFixture(capture)).root;
}

function capturedNetwork(capture: string): XmlElement {
  const network = hookDataNetwork(captured(capture));
  if (network === undefined) throw new Error(`Cannot test with ${capture}: it holds no network`);
  return network;
}

const CAPTURES = [
  { capture: "network-started.xml", connections: 0 },
  { capture: "network-port-created.xml", connections: 1 },
];
for (const { capture, connections } of CAPTURES) {
  Deno.test(`the network view reads ${capture}`, () => {
    const network = capturedNetwork(capture);
    assertEquals(networkName(network), "default");
    assertEquals(networkUuid(network), "ba8b3efe-2ab6-4b70-853b-e93fb809cc7f");
    assertEquals(networkBridge(network), { name: "virbr0", zone: undefined });
    assertEquals(networkMac(network), "52:54:00:02:8d:0a");
    assertEquals(networkForward(network), { mode: "nat", dev: undefined, interfaces: [] });
    assertEquals(networkConnections(network), connections);
  });
}

Deno.test("networkAddresses() tells addresses, ranges and reservations of a real network", () => {
  const [first, ...others] = networkAddresses(capturedNetwork("network-started.xml"));
  assertEquals(others, []);
  assertEquals([first?.address, first?.family, first?.prefix], ["192.168.122.1", "ipv4", 24]);
  assertEquals(first?.ranges, [{ start: "192.168.122.2", end: "192.168.122.254" }]);
  assertEquals(first?.hosts.length, 4);
  assertEquals(first?.hosts[0], { mac: "52:54:00:11:22:35", id: undefined, name: undefined, ip: "192.168.122.52" });
});

const PREFIXES = [
  { xml: "address='10.1.2.3' netmask='255.255.240.0'", want: 20 },
  { xml: "address='10.1.2.3' netmask='0.0.0.0'", want: 0 },
  { xml: "address='10.1.2.3' netmask='255.255.255.255'", want: 32 },
  { xml: "address='10.1.2.3' netmask='255.0.255.0'", want: undefined },
  { xml: "address='10.1.2.3' netmask='255.255.255'", want: undefined },
  { xml: "address='10.1.2.3' prefix='29'", want: 29 },
  { xml: "address='10.1.2.3' prefix='33'", want: undefined },
  { xml: "address='10.1.2.3'", want: 8 },
  { xml: "address='172.16.0.1'", want: 16 },
  { xml: "address='192.0.2.1'", want: 24 },
  { xml: "address='224.0.0.1'", want: undefined },
  { xml: "address='0.0.0.0'", want: 0 },
  { xml: "address='nowhere'", want: undefined },
  { xml: "address='2001:db8::1' prefix='48' family='ipv6'", want: 48 },
  { xml: "address='2001:db8::1'", want: 64 },
  { xml: "address='10.1.2.3' prefix='+29'", want: 29 },
  { xml: "address='10.1.2.3' prefix='29 '", want: undefined },
  { xml: "address='10.1.2.3' prefix='0'", want: 8 },
  { xml: "address='10.1.2.3' prefix='0' netmask='255.255.0.0'", want: 16 },
  { xml: "address='0.0.0.0' prefix='0'", want: 0 },
  { xml: "address='2001:db8::' prefix='0'", want: 64 },
  { xml: "address='::' prefix='0'", want: 0 },
  { xml: "address='::'", want: 0 },
  { xml: "address='0:0::0'", want: 0 },
  { xml: "address='::' prefix='96'", want: 96 },
  { xml: "address='::1'", want: 64 },
  { xml: "address='+10.1.2.3'", want: undefined },
];
for (const { xml, want } of PREFIXES) {
  Deno.test(`networkAddresses() and networkRoutes() count the prefix of ${xml} as ${want}`, () => {
    assertEquals(networkAddresses(networkOf(`<ip ${xml}/>`)).map(({ prefix }) => prefix), [want]);
    assertEquals(networkRoutes(networkOf(`<route ${xml} gateway='x'/>`)).map(({ prefix }) => prefix), [want]);
  });
}

Deno.test("networkAddresses() reads reservations by MAC, by DUID and by name", () => {
  const [four, six] = networkAddresses(networkOf(
    "<ip address='10.0.0.1' prefix='8'><dhcp><host mac='52:54:0:AB:1:2' name='web' ip='10.0.0.2'/>" +
      "<host name='db' ip='10.0.0.3'/><range start='10.0.0.9'/></dhcp></ip>" +
      "<ip family='ipv6' address='2001:db8::1'><dhcp><host id='0:4:7e' name='paul' ip='2001:db8::2'/></dhcp></ip>" +
      "<ip/><ip address='x' family='ipx'/>",
  ));
  assertEquals(four?.hosts, [
    { mac: "52:54:00:ab:01:02", id: undefined, name: "web", ip: "10.0.0.2" },
    { mac: undefined, id: undefined, name: "db", ip: "10.0.0.3" },
  ]);
  assertEquals(four?.ranges, []);
  assertEquals(six?.hosts, [{ mac: undefined, id: "0:4:7e", name: "paul", ip: "2001:db8::2" }]);
});

Deno.test("networkRoutes() tells address, prefix and gateway", () => {
  const network = networkOf(
    "<route address='192.168.222.0' prefix='24' gateway='192.168.122.10'/>" +
      "<route family='ipv6' address='2001:db8:1::' prefix='64' gateway='2001:db8::9'/><route/>",
  );
  assertEquals(networkRoutes(network), [
    { address: "192.168.222.0", family: "ipv4", prefix: 24, gateway: "192.168.122.10" },
    { address: "2001:db8:1::", family: "ipv6", prefix: 64, gateway: "2001:db8::9" },
  ]);
});

const FORWARDS = [
  { xml: "", want: undefined },
  { xml: "<forward/>", want: { mode: "nat", dev: undefined, interfaces: [] } },
  { xml: "<forward mode='route' dev='eth0'/>", want: { mode: "route", dev: "eth0", interfaces: [] } },
  {
    xml: "<forward mode='passthrough'><interface dev='eth1'/><interface/><interface dev='eth2'/></forward>",
    want: { mode: "passthrough", dev: undefined, interfaces: ["eth1", "eth2"] },
  },
];
for (const { xml, want } of FORWARDS) {
  Deno.test(`networkForward() reads ${xml || "an isolated network"}`, () => {
    assertEquals(networkForward(networkOf(xml)), want);
  });
}

Deno.test("the network view reads what a real network may not have", () => {
  const network = networkOf("<title>T</title><domain name='lab.example'/><bridge name='br0' zone='trusted'/>");
  assertEquals([networkTitle(network), networkDomainName(network)], ["T", "lab.example"]);
  assertEquals(networkBridge(network), { name: "br0", zone: "trusted" });
});

Deno.test("the network view tells nothing of an empty network, and does not fail", () => {
  const views: readonly ((network: XmlElement) => unknown)[] = [
    networkName,
    networkUuid,
    networkTitle,
    networkBridge,
    networkMac,
    networkForward,
    networkDomainName,
  ];
  for (const view of views) assertEquals(view(networkOf("")), undefined, view.name);
  assertEquals([networkAddresses(networkOf("")), networkRoutes(networkOf("")), networkConnections(networkOf(""))], [
    [],
    [],
    0,
  ]);
});

Deno.test("hookDataPort() reads a real port", () => {
  assertEquals(hookDataPort(captured("network-port-created.xml")), {
    uuid: "f6310441-bc6d-495a-a2bc-e51810fa6dda",
    owner: { name: "vm1", uuid: "8d4784db-5c4f-402c-b7c2-6aea41393623" },
    mac: "52:54:00:f5:e6:bc",
    group: undefined,
    plug: { kind: "network", bridge: "virbr0" },
  });
  assertEquals(hookDataPort(captured("network-started.xml")), undefined);
});

const PLUGS: readonly { readonly xml: string; readonly want: NetworkPlug | undefined }[] = [
  {
    xml: "<plug type='network' bridge='virbr1' macTableManager='libvirt'/>",
    want: { kind: "network", bridge: "virbr1" },
  },
  { xml: "<plug type='bridge' bridge='br0'/>", want: { kind: "bridge", bridge: "br0" } },
  { xml: "<plug type='direct' dev='ens3' mode='vepa'/>", want: { kind: "direct", dev: "ens3", mode: "vepa" } },
  {
    xml: "<plug type='hostdev-pci' managed='yes'><driver name='vfio'/>" +
      "<address domain='0x0001' bus='0x02' slot='0x03' function='0x4'/></plug>",
    want: { kind: "hostdev-pci", address: "0001:02:03.4", managed: true },
  },
  { xml: "<plug type='hostdev-pci'/>", want: undefined },
  { xml: "<plug type='direct'/>", want: undefined },
  { xml: "<plug type='network'/>", want: undefined },
  { xml: "<plug type='newer' bridge='br0'/>", want: undefined },
  { xml: "", want: undefined },
];
for (const { xml, want } of PLUGS) {
  Deno.test(`readNetworkPort() reads ${xml || "a port without a plug"}`, () => {
    const port = parseDocument(`<networkport><group>web</group>${xml}</networkport>`).root;
    const { group, plug, uuid, owner } = readNetworkPort(port);
    assertEquals([group, plug, uuid, owner], ["web", want, undefined, { name: undefined, uuid: undefined }]);
  });
}

/** As libvirt 1.2.2 to 5.4 wrote it. */
const PLUGGED = `<hookData>
  <interface type='network'>
    <mac address='52:54:00:f5:e6:bc'/>
    <source network='default' bridge='virbr0'/>
    <target dev='vnet0'/>
    <model type='virtio'/>
  </interface>
  <network>
    <name>default</name>
    <uuid>ba8b3efe-2ab6-4b70-853b-e93fb809cc7f</uuid>
    <bridge name='virbr0' stp='on' delay='0'/>
  </network>
  <domain type='kvm'>
    <name>vm1</name>
    <uuid>8d4784db-5c4f-402c-b7c2-6aea41393623</uuid>
  </domain>
</hookData>`;

Deno.test("the hookData view reads what old versions sent at plugged and unplugged", () => {
  const { root } = parseDocument(PLUGGED);
  const network = hookDataNetwork(root);
  const domain = hookDataDomain(root);
  assertEquals([network && networkName(network), domain && domainName(domain)], ["default", "vm1"]);
  const { type, mac, bridge, target } = hookDataInterface(root) ?? {};
  assertEquals([type, mac, bridge, target], ["network", "52:54:00:f5:e6:bc", "virbr0", "vnet0"]);
  assertEquals(hookDataPort(root), undefined);
});

Deno.test("the hookData view tells nothing of an empty document", () => {
  const { root } = parseDocument("<hookData/>");
  for (const view of [hookDataNetwork, hookDataPort, hookDataDomain, hookDataInterface]) {
    assertEquals(view(root), undefined, view.name);
  }
});
