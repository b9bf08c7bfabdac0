/**
 * Undos that are known to fail when there is nothing to undo. The ledger runs an undo at least once, and also after a program that
 * failed before it did anything. Meanwhile others may have changed what it acts on: a firewall was reloaded, a bridge was removed.
 * @module
 */

interface Row {
  readonly programs: RegExp;
  /** Whether these arguments are meant. */
  readonly isMeant: (args: readonly string[]) => boolean;
  /** The form that does not fail, where there is one. */
  readonly instead?: string;
  /** Whether it makes something, and so fails where that is there already; else it fails where something is gone. */
  readonly makes?: true;
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

/** What is mounted already is passed over by `-a`, and mounted anew with `remount`. */
function mountsOne(args: readonly string[]): boolean {
  return lacksOption("a", "--all")(args) && !args.some((arg) => arg.includes("remount"));
}

/** nft takes its commands as one argument or as several. */
function nftDeletesOnly(args: readonly string[]): boolean {
  const words = args.flatMap((arg) => arg.split(/[\s;]+/));
  return words.includes("delete") && !words.includes("add");
}

/** Every version of nft takes it, whether the table is there or not. */
const NFT_GONE = '"add table FAMILY NAME; delete table FAMILY NAME" as the one argument of nft';

const ROWS: readonly Row[] = [
  {
    programs: /^(ip6?|eb|arp)tables(-nft|-legacy)?$/,
    isMeant: hasWord("-D", "--delete", "-X", "--delete-chain"),
    instead: `a table of your own, and ${NFT_GONE}`,
  },
  { programs: /^nft$/, isMeant: nftDeletesOnly, instead: NFT_GONE },
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
  { programs: /^mkdir$/, isMeant: lacksOption("p", "--parents"), instead: "mkdir -p", makes: true },
  { programs: /^ln$/, isMeant: lacksOption("f", "--force"), instead: "ln -f", makes: true },
  {
    programs: /^mount$/,
    isMeant: mountsOne,
    instead: 'services = { stop = ["….mount"] } instead of the run',
    makes: true,
  },
  {
    programs: /^swapon$/,
    isMeant: lacksOption("a", "--all"),
    instead: 'services = { stop = ["….swap"] } instead of the run',
    makes: true,
  },
  {
    programs: /^(ip|tc)$/,
    isMeant: (args) => hasWord("add")(args) && hasWord("route", "addr", "address", "neigh", "qdisc")(args),
    instead: '"replace" instead of "add"',
    makes: true,
  },
  { programs: /^ip$/, isMeant: hasWord("add"), makes: true },
  { programs: /^brctl$/, isMeant: hasWord("addbr", "addif"), makes: true },
  { programs: /^cryptsetup$/, isMeant: hasWord("open", "luksOpen"), makes: true },
  { programs: /^rmmod$/, isMeant: always, instead: "modprobe -r" },
  { programs: /^(umount|swapoff|unlink|mv|kill|pkill|killall|userdel|groupdel)$/, isMeant: always },
  { programs: /^losetup$/, isMeant: hasWord("-d", "--detach") },
  { programs: /^dmsetup$/, isMeant: hasWord("remove") },
  { programs: /^cryptsetup$/, isMeant: hasWord("close", "luksClose") },
  { programs: /^mdadm$/, isMeant: hasWord("--stop", "-S") },
];

/** When an undo is known to fail, and what to do about it. */
export interface UndoAdvice {
  readonly when: string;
  readonly advice: string;
}

/** What is known of an undo that fails when there is nothing to undo; `undefined` for any other. Pure. */
export function undoAdvice([program = "", ...args]: readonly string[]): UndoAdvice | undefined {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const row = ROWS.find(({ programs, isMeant }) => programs.test(name) && isMeant(args));
  if (row === undefined) return undefined;
  const instead = row.instead === undefined ? "" : `use ${row.instead}, or `;
  return {
    when: row.makes ? "what it makes is there already, as after a program that failed" : "what it undoes is gone",
    advice: `${instead}write undo_error = "continue"`,
  };
}
