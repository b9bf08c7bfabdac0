/**
 * How much of a document is read, followed and changed: the one table, for the hooks and for the admin command.
 *
 * The owner of a guest writes much of its document. The tree of the largest document takes some 50 MB, and a hook holds
 * three at migrate (as sent, before and after an edit), of the heap that `build/permissions.ts` gives it. docs/reference/paths.md
 * lists the limits for administrators.
 * @module
 */

/** The limits. */
export const XML_LIMITS = {
  /** Of a document. The longest that a client can send to libvirt is 4 MiB (`REMOTE_STRING_MAX`). */
  bytes: 8 * 1024 * 1024,
  /**
   * Elements within each other. libxml2 reads 257 (`xmlParserMaxDepth`, without XML_PARSE_HUGE, which libvirt does not set),
   * and libvirt sends a network within `<hookData>`, keeps a running guest within `<domstatus>`.
   */
  depth: 260,
  /** Elements, texts, CDATA sections, comments and processing instructions. */
  nodes: 100_000,
  /** In all elements together. */
  attributes: 50_000,
  /** Of a name: as many as libxml2 reads (`XML_MAX_NAME_LENGTH`). */
  nameCharacters: 50_000,
  /** Of a value that fills a string of a rule: as many as the kernel takes for one argument (`MAX_ARG_STRLEN`). */
  filledCharacters: 131_072,
  /** Nodes that one path looks at. */
  visits: 2_000_000,
  /** Characters that the conditions of one path compare. */
  comparedCharacters: 64 * 1024 * 1024,
  /** Characters that the globs of one selector compare. */
  globCharacters: 8 * 1024 * 1024,
  /** Places that one edit changes. */
  editedPlaces: 10_000,
} as const satisfies Readonly<Record<string, number>>;
