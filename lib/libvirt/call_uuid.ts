/**
 * The UUID of the guest or network that a call is about.
 * @module
 */
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { textContent } from "../xml/tree.ts";
import type { HookCall } from "./call.ts";

/** Where it is, by the kind of document. */
const UUID_PATHS = ["/domain/uuid", "/hookData/network/uuid"];

/** libvirt's names have at most some hundred bytes, so the UUID comes long before this. */
const HEAD_BYTES = 65_536;

/**
 * Finds the UUID, where the head has it without parsing. A filter's document can be a text that a client gave as it is: that
 * one is parsed, and so is one whose head has no UUID.
 * @throws {XmlSyntaxError} when a document that must be parsed is not XML that we read, or there is none
 * @throws {XmlLimitError} when it is too long to be parsed
 */
export function callUuid(call: HookCall): string | undefined {
  return headUuid(call) ?? parsedUuid(call);
}

/**
 * The UUID as the head of libvirt's own text has it; `undefined` where only parsing can tell. libvirt writes name and UUID before
 * anything that a guest's owner writes, and escapes the name (`virDomainDefFormatInternal`, `virNetworkDefFormatBuf`).
 */
export function headUuid({ facts, document }: Pick<HookCall, "facts" | "document">): string | undefined {
  if (facts.filter) return undefined;
  const head = new TextDecoder().decode(document.subarray(0, HEAD_BYTES));
  return /<uuid>([0-9a-fA-F-]{36})<\/uuid>/.exec(head)?.[1]?.toLowerCase();
}

function parsedUuid(call: HookCall): string | undefined {
  const [element] = UUID_PATHS.flatMap((path) => select(parsePath(path), call.xml()));
  return element?.type === "element" ? textContent(element).trim().toLowerCase() : undefined;
}
