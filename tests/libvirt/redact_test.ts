import { DOCUMENT_SECRETS_MAX, redactSecrets, secretValues } from "../../lib/libvirt/redact.ts";
import { REDACTED } from "../../lib/libvirt/scrub.ts";
import { secretPlaces } from "../../lib/libvirt/secret_places.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { XmlLimitError } from "../../lib/xml/limit_error.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { fixtureNames, readFixture } from "../xml/fixtures.ts";
import { LIBXL_DOMAIN } from "./documents.ts";

const QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
const XEN = "xmlns:xen='http://libvirt.org/schemas/domain/xen/1.0'";
const BHYVE = "xmlns:bhyve='http://libvirt.org/schemas/domain/bhyve/1.0'";

/** The secrets are written `«SECRET»`; `place` is the row of the table that finds them. */
const SECRETS = [
  { place: "@passwd", xml: "<devices><graphics type='vnc' port='-1' passwd='«s3cret»'/></devices>" },
  {
    place: "@passwd",
    xml: "<devices><graphics type='spice' passwd='«a»' passwdValidTo='2030-01-01T00:00:00'/></devices>",
  },
  { place: "@passwd", xml: "<devices><graphics type='rdp' username='me' password='«s3cret»'/></devices>" },
  {
    place: "cookies/cookie",
    xml: "<devices><disk><source protocol='https'><cookies><cookie name='id'>«c00kie»</cookie>" +
      "<cookie name='q'>\"«quoted»\"</cookie></cookies></source></disk></devices>",
  },
  {
    place: "source/@query",
    xml: "<devices><disk><source protocol='https' query='dc=1&amp;token=«t0ken»&amp;x=y'/></disk></devices>",
  },
  { place: "secret", xml: "<secret>\n  «in the open»\n</secret>" },
  { place: "secret", xml: "<secret type='raw'><value>«deep»</value><!-- c --></secret>" },
  { place: "auth", xml: "<auth username='u'>«in the open»</auth>" },
  { place: "password", xml: "<PassWord><![CDATA[«s3<cret»]]></PassWord>" },
  {
    place: "commandline/env",
    xml: `<qemu:commandline ${QEMU}><qemu:env name='LD_DEBUG' value='all'/>` +
      "<qemu:env name='DB_PASS' value='«s3cret»'/></qemu:commandline>",
  },
  {
    place: "commandline/arg",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='-object'/>` +
      "<qemu:arg value='secret,id=sec0,data=«letmein»,format=raw'/><qemu:arg value='-vnc'/>" +
      "<qemu:arg value=':1,password=on'/><qemu:arg value='port=1,password=«com,,ma»,tls=no'/>" +
      "<qemu:arg value='x,password-secret=sec0'/></qemu:commandline>",
  },
  {
    place: "commandline/arg",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='{"qom-type":"secret","id":"s","data":"«json1»"}'/>` +
      `<qemu:arg value='{"driver":"x","password" : "«js\\"on2»","data":"kept"}'/></qemu:commandline>`,
  },
  {
    place: "commandline/arg",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='name=opt/org.example/k,string=«blob»'/>` +
      "<qemu:arg value='type=11,value=io.systemd.credential:pw.root=«s3 cret»'/>" +
      "<qemu:arg value='file=https://user:«s3cret»@host/disk'/></qemu:commandline>",
  },
  {
    place: "commandline/arg",
    xml: `<xen:commandline ${XEN}><xen:arg value='x,password=«s3cret»'/></xen:commandline>`,
  },
  {
    place: "commandline/arg",
    xml: `<bhyve:commandline ${BHYVE}><bhyve:arg value='tcp=:5900,password=«s3cret»'/></bhyve:commandline>`,
  },
  {
    place: "os/initenv",
    xml: "<os><initenv name='PGPASSWORD'>«s3cret»</initenv><initenv name='TERM'>linux</initenv></os>",
  },
  { place: "os/initarg", xml: "<os><initarg>--token=«s3cret»</initarg><initarg>--verbose</initarg></os>" },
  {
    place: "os/cmdline",
    xml: '<os><cmdline>console=ttyS0 inst.password="«two words»" root=/dev/vda ' +
      "systemd.set_credential=«pw:s3cret» quiet</cmdline></os>",
  },
  { place: "bootloader_args", xml: "<bootloader_args>-q --password=«s3cret»</bootloader_args>" },
  {
    place: "sysinfo[fwcfg]/entry",
    xml: "<sysinfo type='fwcfg'><entry name='opt/org.example/k'>«{&quot;passwordHash&quot;: 1}»</entry>" +
      "<entry name='opt/org.example/f' file='/srv/f'/></sysinfo>",
  },
  {
    place: "sysinfo[smbios]//entry",
    xml: "<sysinfo type='smbios'><bios><entry name='vendor'>LENOVO</entry></bios><oemStrings>" +
      "<entry>io.systemd.credential.binary:x=«c2VjcmV0, and more»</entry><entry>app:1</entry></oemStrings></sysinfo>",
  },
  {
    place: "metadata//@NAME",
    xml: "<metadata><x:a xmlns:x='urn:x' x:adminPassword='«s3cret»' api-key='«k»' tokens='yes' size='9'/></metadata>",
  },
  {
    place: "metadata//NAME",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:userToken>«s3»<![CDATA[«c&r»]]>«et»</x:userToken><x:keys>kept</x:keys>" +
      "</x:a></metadata>",
  },
  {
    place: "metadata//*[@name]",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:prop name='root-pw'>«s3cret»</x:prop><x:prop key='k'>v</x:prop></x:a>" +
      "</metadata>",
  },
  {
    place: "metadata//*[@name]/@value",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:prop key='auth_key' value='«s3cret»'/></x:a></metadata>",
  },
  {
    place: "sysinfo[smbios]//entry",
    xml:
      "<sysinfo type='smbios'><system><entry name='serial'>ds=nocloud;s=http://u:«s3cret»@h/</entry></system></sysinfo>",
  },
  {
    place: "source/@query",
    xml: "<devices><disk><source protocol='https' query='X-Amz-Date=2030&amp;X-Amz-Signature=«5ig»&amp;x=y'/></disk>" +
      "<disk><source protocol='https' query='sv=1&amp;sig=«az%2Fure»'/></disk></devices>",
  },
  {
    place: "commandline/arg",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='file=rbd:pool/img:id=admin:key=«AQD+/==»:mon_host=h\:1'/>` +
      "<qemu:arg value='file.driver=https,file.cookie=«a=b; c=d»,id=x'/>" +
      `<qemu:arg value='{"driver":"https","cookie":"«js; on»","password-secret":"sec0"}'/>` +
      "<qemu:arg value='iscsi://user%«s3cret»@host/iqn/0'/><qemu:arg value='string=«blob»,name=opt/a'/>" +
      "<qemu:arg value='etc/x,string=«blob2»'/><qemu:arg value='file=https://h/d?sig=«signed»'/></qemu:commandline>",
  },
  {
    place: "commandline/arg",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='x,client-secret=«s3cret»,encrypt.key-secret=sec1'/>` +
      `<qemu:arg value='{"shared-secret":"«s3cret2»"}'/></qemu:commandline>`,
  },
  {
    place: "commandline/arg[--NAME]",
    xml: `<qemu:commandline ${QEMU}><qemu:arg value='--password'/><qemu:arg value='«s3cret»'/>` +
      "<qemu:arg value='--token'/><qemu:arg value='-next'/></qemu:commandline>",
  },
  {
    place: "commandline/env[URL]",
    xml: `<qemu:commandline ${QEMU}><qemu:env name='PROXY' value='http://u:«s3cret»@proxy:1'/></qemu:commandline>`,
  },
  {
    place: "override//property",
    xml: `<qemu:override ${QEMU}><qemu:device alias='a'><qemu:frontend><qemu:property name='password' type='string'` +
      " value='«s3cret»'/><qemu:property name='password-secret' type='string' value='sec0'/></qemu:frontend>" +
      "</qemu:device></qemu:override>",
  },
  { place: "os/initenv[URL]", xml: "<os><initenv name='DB'>postgres://u:«s3cret»@db/x</initenv></os>" },
  {
    place: "os/initarg[--NAME]",
    xml: "<os><initarg>/bin/app</initarg><initarg>--password</initarg><initarg>«s3cret»</initarg></os>",
  },
  {
    place: "os/cmdline",
    xml: "<os><cmdline>netroot=iscsi:u:«PW»@10.0.0.1::3260::iqn rootpw=«s3cret» root=/dev/sda client-secret=«x1» " +
      "netroot=iscsi:10.0.0.1::3260::iqn</cmdline></os>",
  },
  {
    place: "metadata//NAME/@value",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:password value='«s3cret»'/><x:password val='«s3cret2»'/></x:a></metadata>",
  },
  {
    place: "metadata//*[@name]/@value",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:property id='password' value='«s3cret»'/></x:a></metadata>",
  },
  {
    place: "metadata//key+value",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:key>password</x:key>\n<x:value>«s3cret»</x:value><x:key>size</x:key>" +
      "<x:value>9</x:value></x:a></metadata>",
  },
  {
    place: "metadata//@*",
    xml: "<metadata><x:a xmlns:x='urn:x' uri='postgres://u:«s3cret»@h/d'/></metadata>",
  },
  {
    place: "metadata//text()",
    xml:
      "<metadata><x:a xmlns:x='urn:x'>#cloud-config\nhostname: a\npassword: «two words»\nchpasswd: {}\n  - token: «t»\n" +
      "</x:a></metadata>",
  },
  {
    place: "metadata//text()",
    xml: "<metadata><x:a xmlns:x='urn:x'>#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:«pw-1'»\n" +
      "    me:«$6$salt$ha/sh.»\n\n    RANDOM:on\n  users:\n  - name: root\n    type: text\n    password: «pw-2»\n" +
      "hostname: web\n</x:a></metadata>",
  },
  {
    place: "metadata//text()",
    xml: "<metadata><x:a xmlns:x='urn:x'>chpasswd:\n  list:\n  - root:«pw-1»\n  - \"me:«pw-2»\"\nruncmd:\n- echo\n" +
      "chpasswd:\n  list: [root:«pw-3», 'me:«pw-4»']\nchpasswd:\n  list: [\n    'a:«pw-5»',\n  ]\n" +
      'chpasswd:\n  list: "a:«pw-6»\\nb:«pw-7»"\n</x:a></metadata>',
  },
  {
    place: "metadata//text()",
    xml:
      "<metadata><x:a xmlns:x='urn:x'>users:\n- name: a\n  passwd: |-\n    «first: line»\n\n    «second»\n  size: 1\n" +
      "- password: >\n    «folded»\n  shell: sh\ntokens:\n- «t-1»\n- '«t-2»'\nport: 1\nsecrets:\n  db: «s-1»\n  debug: false\n" +
      "root_password:\n  «plain»\n</x:a></metadata>",
  },
  {
    place: "metadata//text()",
    xml: "<metadata><x:a xmlns:x='urn:x'>ssh_keys:\n  rsa_private: |\n    -----BEGIN RSA PRIVATE KEY-----\n" +
      "    «Proc-Type: 4»\n    «MIIBy+/=»\n    -----END RSA PRIVATE KEY-----\n  rsa_public: ssh-rsa AAAA\n" +
      '{"k": "-----BEGIN PRIVATE KEY-----«\\nMIIC\\n»-----END PRIVATE KEY-----"}\n</x:a></metadata>',
  },
  {
    place: "comment",
    xml: "<!--\nchpasswd:\n  list: |\n    root:«hunter2»\n-->",
  },
  {
    place: "metadata//NAME",
    xml: "<metadata><x:a xmlns:x='urn:x'><x:client-secret>«a1b2»</x:client-secret><x:secretId>«v1»</x:secretId>" +
      "<x:adminPass>«c3d4»</x:adminPass></x:a></metadata>",
  },
  {
    place: "metadata//@NAME",
    xml: "<metadata><x:a xmlns:x='urn:x' shared-secret='«s1»' userPwd='«s2»' secret-id='«s3»'/></metadata>",
  },
  { place: "comment", xml: "<!-- root password: «hunter2» --><!--password: «hunter3»--><?x token=«t0ken»?>" },
];

const MARKED = /«([^»]*)»/g;

for (const { place, xml } of SECRETS) {
  const marked = `<domain type='kvm'>${xml}</domain>`;
  const document = parseDocument(marked.replaceAll(MARKED, "$1"));
  const want = marked.replaceAll(MARKED, REDACTED);

  Deno.test(`redactSecrets() hides ${place} in ${xml.slice(0, 90)}`, () => {
    assert(marked.includes("«"), "the case marks a secret");
    const redacted = redactSecrets(document);
    assertEquals(redacted, want);
    const values = secretValues(document);
    assert(values.length > 0, "there are values");
    for (const value of values) assert(!redacted.includes(value) || value.length < 4, `${value} is gone`);
    const left = secretValues(parseDocument(redacted)).filter((value) => !/^[*]+$/.test(value));
    assertEquals(left, [], "nothing secret is left");
  });
}

Deno.test("secretPlaces has a test for each row", () => {
  const tested = new Set(SECRETS.map(({ place }) => place));
  assertEquals([...tested].sort(), ["comment", ...secretPlaces.map(({ name }) => name)].sort());
});

const INNOCENT = [
  "<devices><graphics type='vnc' passwd=''/></devices>",
  "<devices><disk><source><auth username='u'>\n<secret type='ceph' uuid='d3c3c9af-114d-457e-bc37-d1a15d65c92f'/>\n" +
  "</auth><encryption format='luks'><secret type='passphrase' usage='/x'/></encryption></source></disk></devices>",
  "<devices><tpm><backend type='emulator'><encryption secret='6dd3e4a5-1d76-44ce-961f-f119f5aad935'/></backend></tpm></devices>",
  "<seclabel type='dynamic' model='dac'><label>+0:+0</label></seclabel>",
  "<os><loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><cmdline>tokens quiet</cmdline></os>",
  "<metadata><x:a xmlns:x='urn:x' compass='north' bypass='x' passthrough='y' key='v'>text</x:a></metadata>",
  "<metadata><x:a xmlns:x='urn:x' passThrough='p1' byPass='x1' secretUuid='d3c3' passwordFile='/f' signed='y1'>" +
  "note: passes through\npassage: x1\n<x:key>size</x:key><x:value>9x</x:value><x:password-file>/f</x:password-file>" +
  "</x:a></metadata>",
  "<metadata><x:a xmlns:x='urn:x'>bypass:\n  route-1\npassword_file:\n  /srv/f\ntoken:\nhostname: web\npasswords: []\n" +
  "credentials:\n  user: bob\n  # none\nkeys:\n  - ssh-rsa AAAA\n-----BEGIN CERTIFICATE-----\nMIIB\n" +
  "-----END CERTIFICATE-----\n</x:a></metadata>",
  `<qemu:commandline ${QEMU}><qemu:arg value='-drive'/><qemu:arg value='file=rbd:p/i:id=a,password-secret=sec0'/>` +
  "<qemu:arg value='iscsi://host/iqn%41/0,x-secret-key-secret=sec1'/><qemu:arg value='--password-file'/>" +
  "<qemu:arg value='/f'/><qemu:env name='URL' value='http://h:80/x@y?key1=2'/></qemu:commandline>",
  "<sysinfo type='smbios'><system><entry name='serial'>signature-1</entry></system></sysinfo>",
  "<!-- a note: nothing to hide here, see http://h/ --><?x y?>",
  "<devices><disk><source protocol='https' query='dc=1&amp;monkey=2&amp;design=3'/></disk></devices>",
  "<devices><filterref filter='clean'><parameter name='IP' value='10.0.0.1'/></filterref></devices>",
];
for (const xml of INNOCENT) {
  Deno.test(`redactSecrets() leaves ${xml.slice(0, 90)}`, () => {
    const document = parseDocument(`<domain>${xml}</domain>`);
    assertEquals(redactSecrets(document), document.text);
    assertEquals(secretValues(document), []);
  });
}

Deno.test("redactSecrets() changes one span of the captured documents that carry a password, and no other document", () => {
  for (const name of fixtureNames()) {
    const text = new TextDecoder().decode(readFixture(name));
    assertEquals(redactSecrets(parseDocument(text)), text.replace("passwd='s3cret'", "passwd='***'"), name);
  }
  for (const name of ["qemu-migrate.xml", "qemu-restore.xml"]) {
    assertEquals(secretValues(parseDocument(readFixture(name))), ["s3cret"], name);
  }
});

Deno.test("redactSecrets() hides the passwords of a guest of libxl", () => {
  const redacted = redactSecrets(parseDocument(LIBXL_DOMAIN));
  assertStringIncludes(redacted, "passwd='***'");
  assertStringIncludes(redacted, "x,password=***'");
  assertEquals(redacted.length, LIBXL_DOMAIN.length - "xen-secret".length - "qemu-pass".length + 6);
});

Deno.test("redactSecrets() hides a secret wherever a value repeats it, and leaves the markup", () => {
  const text = "<?s3cret s3cret?><domain><!-- old: s3cret --><s3cret s3cret='no s3cret'>s3&#99;ret s3cre t" +
    "<![CDATA[xs3cretx]]></s3cret><g passwd='s3cret'/></domain>";
  assertEquals(
    redactSecrets(parseDocument(text)),
    "<?s3cret ***?><domain><!-- old: *** --><s3cret s3cret='no ***'>*** s3cre t" +
      "<![CDATA[x***x]]></s3cret><g passwd='***'/></domain>",
  );
});

Deno.test("redactSecrets() hides a secret written with references and in pieces", () => {
  const text = "<domain><g passwd='a&amp;&#x62;&quot;c'/><secret>a&amp;<![CDATA[b\"]]]]><![CDATA[>]]>\r\nc</secret>" +
    '<title>is a&amp;b"c</title></domain>';
  const document = parseDocument(text);
  assertEquals(
    redactSecrets(document),
    "<domain><g passwd='***'/><secret>***<![CDATA[***]]>***</secret><title>is ***</title></domain>",
  );
  const values = secretValues(document);
  const wanted = ["a&amp;&#x62;&quot;c", 'a&b"c', 'a&amp;b"c', "a&amp;b&quot;c", 'a&b\\"c', 'a&b"]]>\nc'];
  assertEquals(wanted.filter((value) => !values.includes(value)), []);
});

Deno.test("secretValues() has a secret as libvirt writes it, all five characters escaped", () => {
  const document = parseDocument("<domain><graphics passwd='hun&apos;ter&quot;&lt;&gt;&amp;'/></domain>");
  assert(secretValues(document).includes("hun&apos;ter&quot;&lt;&gt;&amp;"));
});

const FORMS = [
  { name: "a credential without its name", cmdline: "systemd.set_credential=pw:s3cret", want: "s3cret" },
  { name: "an option's value with its commas as they count", cmdline: "password=com,,ma", want: "com,ma" },
  { name: "a JSON string as it is read", cmdline: '{"password":"a\\"b"}', want: 'a"b' },
];
for (const { name, cmdline, want } of FORMS) {
  Deno.test(`secretValues() has ${name}`, () => {
    const values = secretValues(parseDocument(`<domain><os><cmdline>${cmdline}</cmdline></os></domain>`));
    assert(values.includes(want), JSON.stringify(values));
  });
}

Deno.test("redactSecrets() does not hide a short secret elsewhere", () => {
  const text = "<domain><name>1</name><vcpu>1</vcpu><g passwd='1'/></domain>";
  assertEquals(redactSecrets(parseDocument(text)), text.replace("passwd='1'", "passwd='***'"));
});

Deno.test("redactSecrets() hides every value of a document with more secrets than any guest has", () => {
  const cookies = Array.from({ length: DOCUMENT_SECRETS_MAX + 1 }, (_, index) => `<cookie>c${index}</cookie>`).join("");
  const document = parseDocument(`<domain><title x='y'>c300</title><cookies>${cookies}</cookies></domain>`);
  const want = document.text.replace("x='y'>c300<", "x='***'>***<").replaceAll(/<cookie>c[0-9]+</g, "<cookie>***<");
  assertEquals(redactSecrets(document), want);
});

Deno.test("redactSecrets() and secretValues() take little time whatever the document", () => {
  const hostile = [
    `<g passwd='${"a".repeat(500_000)}' x='${"a".repeat(500_000)}b'/>`,
    `<cookies>${"<cookie>aaaaaaaaaaaaaaaa</cookie>".repeat(30_000)}</cookies>`,
    `<cookies>${Array.from({ length: 250 }, (_, i) => `<cookie>${"a".repeat(2000 + i)}</cookie>`).join("")}</cookies>` +
    `<title>${"a".repeat(1_000_000)}</title>`,
    `<os><cmdline>${"io.systemd.credential:".repeat(40_000)}</cmdline></os>`,
    `<os><cmdline>${"://a:".repeat(200_000)}</cmdline><cmdline>${'a="'.repeat(300_000)}</cmdline></os>`,
    `<os><cmdline>${'password=\\"'.repeat(100_000)}</cmdline><cmdline>${
      '"password":"\\'.repeat(80_000)
    }</cmdline></os>`,
    `${"<cmdline>".repeat(250)}${"pw=yxz ".repeat(1_000_000)}${"</cmdline>".repeat(250)}`,
    `<metadata><x>${`passwords:\n${" - a:b\n".repeat(50_000)}`.repeat(4)}</x></metadata>`,
    `<metadata><x>chpasswd:\n  list: ${"a:b".repeat(200_000)}\n${"- ".repeat(200_000)}</x></metadata>`,
    `<metadata><x>\n${"-----BEGIN PRIVATE KEY-----".repeat(40_000)}\n${"\t".repeat(900_000)}</x></metadata>`,
    `<os><cmdline>${'"data" '.repeat(100_000)}</cmdline><cmdline>${'"a"' + " ".repeat(900_000)}</cmdline></os>`,
  ];
  for (const content of hostile) {
    const document = parseDocument(`<domain>${content}</domain>`);
    const startMs = performance.now();
    parseDocument(redactSecrets(document));
    try {
      secretValues(document);
    } catch (error) {
      assert(error instanceof XmlLimitError, "the secrets are found, or too long to look for");
    }
    const tookMs = performance.now() - startMs;
    assert(tookMs < 5000, `${Math.round(tookMs)} ms for ${content.slice(0, 40)}`);
  }
});
