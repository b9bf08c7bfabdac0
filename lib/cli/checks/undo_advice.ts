/**
 * Undos that are known to fail when what they undo is gone already. A ledger runs an undo at least once, and anything may have
 * been there before it: a firewall was reloaded, a bridge was removed.
 * @module
 */

interface Row {
  readonly programs: RegExp;
  /** Whether these arguments are meant. */
  readonly isMeant: (args: readonly string[]) => boolean;
  /** The form that does not fail, where there is one. */
  readonly instead?: string;
}

function hasWord(...words: readonly string[]): Row["isMeant"] {
  return (args) => args.some((arg) => words.includes(arg));
}

/** Without a short option in any cluster, and without the long one. */
function lacksOption(short: string, long: string): Row["isMeant"] {
  return (args) => !args.some((arg) => arg === long || (/^-[A-Za-z]+$/.test(arg) && arg.includes(short)));
}

function always(): boolean {
  return true;
}

const ROWS: readonly Row[] = [
  {
    programs: /^(ip6?|eb|arp)tables(-nft|-legacy)?$/,
    isMeant: hasWord("-D", "--delete", "-X", "--delete-chain"),
    instead: "a table of your own that nft destroys",
  },
  { programs: /^nft$/, isMeant: hasWord("delete"), instead: '"destroy" instead of "delete" (nft 1.0.8, Linux 6.3)' },
  { programs: /^(ip|bridge|tc)$/, isMeant: hasWord("del", "delete") },
  { programs: /^brctl$/, isMeant: hasWord("delbr", "delif") },
  {
    programs: /^ovs-vsctl$/,
    isMeant: (args) => hasWord("del-br", "del-port")(args) && !args.includes("--if-exists"),
    instead: "--if-exists",
  },
  { programs: /^ipset$/, isMeant: hasWord("destroy", "-X") },
  {
    programs: /^ipset$/,
    isMeant: (args) => hasWord("del", "-D")(args) && !hasWord("-exist", "-!")(args),
    instead: "ipset -exist del",
  },
  { programs: /^rm$/, isMeant: lacksOption("f", "--force"), instead: "rm -f" },
  { programs: /^rmdir$/, isMeant: always, instead: "rm -df" },
  { programs: /^mkdir$/, isMeant: lacksOption("p", "--parents"), instead: "mkdir -p" },
  { programs: /^ln$/, isMeant: lacksOption("f", "--force"), instead: "ln -f" },
  { programs: /^rmmod$/, isMeant: always, instead: "modprobe -r" },
  { programs: /^(umount|swapoff|unlink|mv|kill|pkill|killall|userdel|groupdel)$/, isMeant: always },
  { programs: /^losetup$/, isMeant: hasWord("-d", "--detach") },
  { programs: /^dmsetup$/, isMeant: hasWord("remove") },
  { programs: /^cryptsetup$/, isMeant: hasWord("close", "luksClose") },
  { programs: /^mdadm$/, isMeant: hasWord("--stop", "-S") },
];

/** What to do about an undo that fails when what it undoes is gone; `undefined` for any other. Pure. */
export function undoAdvice([program = "", ...args]: readonly string[]): string | undefined {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const row = ROWS.find(({ programs, isMeant }) => programs.test(name) && isMeant(args));
  if (row === undefined) return undefined;
  return row.instead === undefined
    ? 'write undo_error = "continue"'
    : `use ${row.instead}, or write undo_error = "continue"`;
}
