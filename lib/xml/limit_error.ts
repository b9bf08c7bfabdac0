/**
 * What is thrown when a document would keep us busy for too long.
 * @module
 */
import { XmlSyntaxError } from "./syntax_error.ts";

/** Thrown when a document makes a path or an expression take too long. */
export class XmlLimitError extends RangeError {
  override readonly name = "XmlLimitError";
}

/** Whether an error is the document's fault: it cannot be read, or not in reasonable time. */
export function isDocumentError(error: unknown): error is XmlSyntaxError | XmlLimitError {
  return error instanceof XmlSyntaxError || error instanceof XmlLimitError;
}
