/**
 * Whether a name says that what it names is a secret.
 * @module
 */

/** Words that say so wherever they stand in a name, as in `PGPASSWORD`. */
const TELLING = /passwd|passwort|password|passphrase|passcode|secret|token|credential/i;
/** Short ones, which also stand in harmless words: only where no letter stands beside them, as in `DB_PASS`. */
const TELLING_WORD = /(?:^|[^a-z])(?:pass|pwd|psk|pw|(?:api|auth|access|encryption|private|shared)[-_.]?key)(?![a-z])/i;
/** The name of a secret that is kept elsewhere, as in QEMU's `password-secret=sec0`, or of a date. */
const REFERENCE = /(?:-secret|secret-?(?:id|uuid)|validto)$/i;
const SWITCH = /^(?:on|off|yes|no|true|false|0|1)?$/i;

/** Whether a variable, option, attribute or element of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return (TELLING.test(name) || TELLING_WORD.test(name)) && !REFERENCE.test(name);
}

/** Whether a value only switches something on or off. */
export function isSwitch(value: string): boolean {
  return SWITCH.test(value.trim());
}
