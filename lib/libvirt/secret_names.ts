/**
 * Whether a name says that what it names is a secret.
 * @module
 */

/** Words that say so wherever they are in a name, as in `PGPASSWORD`. */
const TELLING = /passwd|passwort|password|passphrase|passcode|secret|token|credential/i;
/** Short ones, which are also part of harmless words: only as a word of their own, as in `DB_PASS` or `adminPass`. */
const TELLING_WORD =
  /(?:^|[^a-z])(?:(?<!by[-_.]?)(?:root|admin|user|db)?pass(?![-_.]?through)|(?:root|admin|user|db)?pwd?|psk|(?:api|auth|access|encryption|private|shared)[-_.]?key)(?![a-z])/i;
/** What only belongs to a secret: the UUID under which libvirt keeps it, a date, the file that has it. */
const BESIDE = /secret[-_]?uuid$|validto$|[-_.](?:file|path)$/i;
/** QEMU's options that name the object with the secret, as in `password-secret=sec0`. */
const QEMU_REFERENCE = /(?:^|[.-])(?:password|passwd|passphrase|key|cookie)-secret$/;
const QEMU_ID = /^[a-z][\w.-]*$/i;
const SWITCH = /^(?:on|off|yes|no|true|false|0|1)?$/i;

/** Whether a variable, option, attribute or element of this name holds a secret. */
export function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z\d])([A-Z])/g, "$1-$2").replace(/([A-Z])([A-Z][a-z])/g, "$1-$2");
  return (TELLING.test(name) || TELLING_WORD.test(words)) && !BESIDE.test(words);
}

/** Whether an option of QEMU's, with this value, only names the object that has the secret. */
export function isQemuReference(name: string, value: string): boolean {
  return QEMU_REFERENCE.test(name) && QEMU_ID.test(value);
}

/** Whether a value only switches something on or off. */
export function isSwitch(value: string): boolean {
  return SWITCH.test(value.trim());
}
