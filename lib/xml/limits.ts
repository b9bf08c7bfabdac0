/**
 * How much of a document is read, followed and changed: the one table, for the hooks and for the admin command.
 *
 * The owner of a guest writes much of its document. The tree of the largest document takes some 50 MB, and a hook holds
 * three at migrate (as sent, before and after an edit), of the heap that `lib/build/permissions.ts` gives it. docs/paths.md
 * lists the limits for administrators.
 * @module
 */

/** The limits. */
export const XML_LIMITS = {
  /** Of a document. The longest that a client can send to libvirt is 4 MiB (`REMOTE_STRING_MAX`). */
  bytes: 8 * 1024 * 1024,
  /** Elements within each other: as many as libxml2 reads without XML_PARSE_HUGE, which libvirt does not set. */
  depth: 256,
  /** Elements, texts, CDATA sections, comments and processing instructions. */
  nodes: 100_000,
  /** In all elements together. */
  attributes: 50_000,
  /** Nodes that one path looks at. */
  visits: 2_000_000,
  /** Characters that the conditions of one path compare. */
  comparedCharacters: 64 * 1024 * 1024,
  /** Characters that the globs of one selector compare. */
  globCharacters: 8 * 1024 * 1024,
  /** Places that one edit changes. */
  editedPlaces: 10_000,
} as const satisfies Readonly<Record<string, number>>;
