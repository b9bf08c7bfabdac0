import * as v from "valibot";
import { editSchema } from "../../lib/actions/edit.ts";
import { type HookCall, makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import type { PlannedEdit } from "../../lib/plan/intent.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { assertEquals } from "../support/assert.ts";

const RULE = { name: "r", while: "guest", namespaces: {} } as const;
const TITLE = parsePath("/domain/title");

function migration(): HookCall {
  const invocation = parseInvocation(drivers.qemu, ["web-1", "migrate", "begin", "-"]);
  const document = new TextEncoder().encode("<domain><name>web-1</name></domain>");
  return makeCall(invocation, drivers.qemu.operations.migrate, { host: "hv-01", document, parse: parseDocument });
}

interface Case {
  readonly given: Readonly<Record<string, unknown>>;
  readonly edit: PlannedEdit;
  readonly text: string;
}

const PLANNED: readonly Case[] = [
  {
    given: { set: "on ${host}" },
    edit: { kind: "set", path: TITLE, value: "on hv-01" },
    text: '/domain/title = "on hv-01"',
  },
  {
    given: { replace: "a", with: "${domain}" },
    edit: { kind: "replace", path: TITLE, search: "a", with: "web-1" },
    text: '/domain/title: "a" becomes "web-1"',
  },
  {
    given: { regex: "a(.)", with: "$1${domain}" },
    edit: { kind: "regex", path: TITLE, expression: "a(.)", with: "$1${domain}" },
    text: '/domain/title: /a(.)/ becomes "$1${domain}"',
  },
  { given: { remove: true }, edit: { kind: "remove", path: TITLE }, text: "/domain/title removed" },
  {
    given: { insert: " <b/>", place: "after" },
    edit: { kind: "insert", path: TITLE, place: "after", xml: " <b/>" },
    text: "<b/> inserted after in /domain/title",
  },
];
for (const { given, edit, text } of PLANNED) {
  Deno.test(`an edit with ${Object.keys(given).join(" and ")} is planned as data`, () => {
    const plan = v.parse(editSchema(), { path: "/domain/title", ...given }).plan(RULE, migration());
    assertEquals(plan, [{ kind: "edit", rule: "r", step: { edit, text }, onError: "fail" }]);
    // It throws on whatever is no data.
    assertEquals(structuredClone(plan), plan);
  });
}
