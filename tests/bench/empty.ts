/**
 * What everything is measured against: a program that does nothing, compiled like a hook.
 * @module
 */
export {};
