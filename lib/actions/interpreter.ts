/**
 * Programs that read code from their arguments: what a guest's owner chose must not get into it.
 * @module
 */

/** Shells, and programs that run what their arguments say: no filling at all. */
const SHELLS = /^(r?bash|sh|dash|ash|ksh|mksh|zsh|fish|csh|tcsh|busybox|env|eval|xargs|ssh|su|sudo|nsenter|chroot)$/;

/** Interpreters: no filling beside inline code. */
const INTERPRETERS =
  /^(python|perl|ruby|node|nodejs|deno|bun|php|lua|awk|gawk|mawk|sed|tclsh|osascript|Rscript)[\d.]*$/;
const INLINE_CODE = /^(-[A-Za-z]*[cerEpn]|--eval|--execute|--command|--print|eval)(=|$)/;
/** Their first argument is the program, unless a file holds it. */
const CODE_FIRST = /^(awk|gawk|mawk|sed)[\d.]*$/;

/** Whether any of these arguments may be run as code. */
export function takesInlineCode(program: string, args: readonly string[]): boolean {
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (SHELLS.test(name)) return true;
  return INTERPRETERS.test(name) && (CODE_FIRST.test(name) || args.some((argument) => INLINE_CODE.test(argument)));
}

/** The script that an interpreter or shell is given by its absolute path, if that is how it is called. */
export function scriptOf(argv: readonly [string, ...string[]]): string | undefined {
  const [program, ...args] = argv;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (!SHELLS.test(name) && !INTERPRETERS.test(name)) return undefined;
  const first = args.find((argument) => !argument.startsWith("-"));
  return first?.startsWith("/") ? first : undefined;
}
