/**
 * Documents for tests of the views.
 * @module
 */

import { parseDocument } from "../../lib/xml/document.ts";
import type { XmlElement } from "../../lib/xml/tree.ts";
import { readFixture } from "../xml/fixtures.ts";

/** The guest in a captured document. */
export function capturedDomain(capture: string): XmlElement {
  return parseDocument(readFixture(capture)).root;
}

/** A guest with this in it. */
export function domainOf(content: string): XmlElement {
  return parseDocument(`<domain type='kvm'>${content}</domain>`).root;
}

/** A guest with these devices. */
export function domainWithDevices(devices: string): XmlElement {
  return domainOf(`<devices>${devices}</devices>`);
}

/** A guest of the libxl driver while it runs, with what only Xen has. */
export const LIBXL_DOMAIN = `<domain type='xen' id='7' xmlns:xen='http://libvirt.org/schemas/domain/xen/1.0'>
  <name>xen-1</name>
  <uuid>c7a5fdb2-cdaf-9455-926a-d65c16db1809</uuid>
  <metadata><vh:labels xmlns:vh="urn:virt-hooks:1"><vh:label name="role">router</vh:label></vh:labels></metadata>
  <memory unit='KiB'>592896</memory>
  <currentMemory unit='KiB'>592896</currentMemory>
  <vcpu placement='static' cpuset='0-3,^2'>2</vcpu>
  <bootloader>/usr/bin/pygrub</bootloader>
  <os><type arch='x86_64' machine='xenpv'>linux</type></os>
  <devices>
    <disk type='block' device='disk'>
      <driver name='phy'/>
      <source dev='/dev/vg/xen-1'/>
      <target dev='xvda' bus='xen'/>
    </disk>
    <interface type='bridge'>
      <mac address='00:16:3E:66:92:9c'/>
      <ip address='192.0.2.7' family='ipv4' prefix='24'/>
      <source bridge='xenbr1'/>
      <backenddomain name='netdom'/>
      <target dev='vif7.0'/>
    </interface>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <driver name='xen'/>
      <source><address domain='0x0000' bus='0x0a' slot='0x10' function='0x1'/></source>
    </hostdev>
    <graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1' passwd='xen-secret'/>
  </devices>
  <xen:commandline><xen:arg value='-device'/><xen:arg value='x,password=qemu-pass'/></xen:commandline>
</domain>`;
