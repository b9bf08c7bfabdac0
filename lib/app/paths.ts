/**
 * Every path of the host that the product itself uses.
 * @module
 */

/** The administrator's folder. */
export const CONFIG_DIRECTORY = "/etc/virt-hooks";
/** The file whose presence makes every hook a no-op. */
export const DISABLED_FILE = `${CONFIG_DIRECTORY}/disabled`;
/** Where libvirt looks for hooks. */
export const HOOKS_DIRECTORY = "/etc/libvirt/hooks";
/** Where the history is. */
export const LOG_DIRECTORY = "/var/log/virt-hooks";
/** The history itself: one JSON line a call. */
export const HISTORY_FILE = `${LOG_DIRECTORY}/history.jsonl`;
