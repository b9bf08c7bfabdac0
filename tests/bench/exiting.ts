/**
 * The sterner yardstick: a program that does nothing but end at once, which is faster than to let the runtime end.
 * @module
 */
Deno.exit(0);
