import type { Intent } from "../../lib/plan/intent.ts";
import { makePlan } from "../../lib/plan/plan.ts";
import { renderPlan } from "../../lib/plan/render.ts";
import { quote, visible } from "../../lib/text/quote.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { assertEquals } from "../support/assert.ts";

const RUN: Intent = {
  kind: "run",
  rule: "a",
  argv: ["/opt/x", "two words"],
  filled: [],
  environment: {},
  input: "document",
  output: "none",
  timeoutMs: 1500,
  onError: "continue",
};
const EDIT: Intent = {
  kind: "edit",
  rule: "b",
  step: { edit: { kind: "remove", path: parsePath("/a/b") }, text: "/a/b removed" },
  onError: "fail",
};
const DENY: Intent = { kind: "deny", rule: "c", message: "not\nnow" };

Deno.test("makePlan() puts refusals first and keeps the order of the rest", () => {
  assertEquals(makePlan([RUN, EDIT, DENY]), [DENY, RUN, EDIT]);
});

Deno.test("renderPlan() gives one line an intent", () => {
  assertEquals(renderPlan([DENY, RUN, EDIT]), [
    'deny  "not\\x0anow"',
    'run   /opt/x "two words", the document on its stdin, for 1.5 s at most; a failure is noted',
    "edit  /a/b removed; a failure fails the call",
  ]);
  assertEquals(renderPlan([]), ["nothing to do"]);
});

Deno.test("quote() and visible() leave no character that could mislead", () => {
  assertEquals([quote("/a-b"), quote(""), quote('a"b'), visible("\x1b[1m\u202e")], [
    "/a-b",
    '""',
    '"a\\"b"',
    "\\x1b[1m\\u202e",
  ]);
});
