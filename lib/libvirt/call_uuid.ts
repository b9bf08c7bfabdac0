/**
 * The UUID of the guest or network that a call is about.
 * @module
 */
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { textContent } from "../xml/tree.ts";
import type { HookCall } from "./call.ts";

/** Where it stands, by the kind of document. */
const UUID_PATHS = ["/domain/uuid", "/hookData/network/uuid"];

/**
 * Finds the UUID. libvirt writes name and UUID before anything a guest's owner could have written, and escapes the
 * name (`virDomainDefFormatInternal`), so its own text is read without parsing it. A filter's document can be a text that a client gave
 * as it is: that one is parsed.
 * @throws {XmlSyntaxError} when a filter's document is not XML that we read, or there is no document
 */
export function callUuid(call: HookCall): string | undefined {
  if (call.facts.filter || call.document.length === 0) return parsedUuid(call);
  const head = new TextDecoder().decode(call.document.subarray(0, 4096));
  return /<uuid>([0-9a-fA-F-]{36})<\/uuid>/.exec(head)?.[1]?.toLowerCase();
}

function parsedUuid(call: HookCall): string | undefined {
  const [element] = UUID_PATHS.flatMap((path) => select(parsePath(path), call.xml()));
  return element?.type === "element" ? textContent(element).trim().toLowerCase() : undefined;
}
