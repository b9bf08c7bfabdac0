/** The beginning of a program for x86_64, as a file of a host in memory has it. */
export const ELF_START = `\x7fELF\x02\x01\x01${"\0".repeat(9)}\x03\0\x3e\0\x01\0\0\0`;
