/**
 * Programs that run what their arguments say: what a guest's owner chose must not get into it, and a script they are
 * given is as much a program as they are.
 * @module
 */

/** Shells: every argument can be code. */
const SHELLS = /^(r?bash|sh|dash|ash|ksh|mksh|zsh|fish|csh|tcsh)[\d.]*$/;
/** Programs that run the program named by their arguments, some with a shell. */
const WRAPPERS =
  /^(busybox|env|eval|xargs|ssh|su|sudo|doas|runuser|nsenter|unshare|chroot|timeout|nice|ionice|chrt|taskset|setsid|nohup|flock|stdbuf|strace|systemd-run|systemd-inhibit|find|parallel)$/;
/** Interpreters: code stands behind an option, or in a file. */
const INTERPRETERS = /^(python|perl|ruby|node|nodejs|deno|bun|php|lua|tclsh|Rscript)[\d.]*$/;
/** Their first argument is code. */
const CODE_FIRST = /^(awk|gawk|mawk|sed)[\d.]*$/;
/** An option with code behind it or glued to it. */
const INLINE_CODE = /^(-[A-Za-z]*[cerEpn]|--(eval|execute|command|print)(=|$)|eval$)/;
/** Options of shells and interpreters whose value is the next argument. */
const WITH_VALUE = /^([-+][oO]|-[WXIMmrQ]|--(rcfile|init-file|require|import))$/;

function nameOf(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

/** Whether a program is a shell, by its name. */
export function isShell(program: string): boolean {
  return SHELLS.test(nameOf(program));
}

/** Whether any of these arguments may be run as code, by the program or by one that it is told to run. */
export function takesInlineCode(argv: readonly string[]): boolean {
  return argv.some((element, index) => {
    const name = nameOf(element);
    if (SHELLS.test(name) || (index === 0 && WRAPPERS.test(name)) || CODE_FIRST.test(name)) return true;
    return INTERPRETERS.test(name) && argv.slice(index + 1).some((argument) => INLINE_CODE.test(argument));
  });
}

/** Paths in an argv that may be programs or scripts too: of wrappers and interpreters, found wherever they stand. */
export function scriptsIn(argv: readonly string[]): readonly string[] {
  const paths = argv.flatMap((element, index): readonly string[] => {
    const name = nameOf(element);
    const rest = argv.slice(index + 1);
    if (WRAPPERS.test(name)) return rest.filter((argument) => argument.startsWith("/"));
    return SHELLS.test(name) || INTERPRETERS.test(name) ? operand(rest) : [];
  });
  // Programs start in the root folder.
  return [...new Set(paths.map((path) => path.startsWith("/") ? path : `/${path}`))];
}

/** The script an interpreter is given; none where its code stands in an option. */
function operand([argument, ...rest]: readonly string[]): readonly string[] {
  if (argument === undefined || INLINE_CODE.test(argument)) return [];
  if (WITH_VALUE.test(argument)) return operand(rest.slice(1));
  return /^[-+]/.test(argument) ? operand(rest) : [argument];
}
