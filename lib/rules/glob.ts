/**
 * Globs over names: `*` stands for any run of characters, `?` for one, `\` takes the next character as it is.
 * @module
 */

interface Piece {
  readonly kind: "any-run" | "any" | "character";
  readonly character: string;
}

function pieces(glob: string): readonly Piece[] {
  return [...glob.matchAll(/\\(.)|[^]/gu)].map(([whole, escaped]) => {
    if (escaped !== undefined) return { kind: "character", character: escaped };
    if (whole === "*") return { kind: "any-run", character: whole };
    if (whole === "?") return { kind: "any", character: whole };
    return { kind: "character", character: whole };
  });
}

/** Whether `glob` matches the whole of `name`, in time that grows with their product at most. */
export function matchGlob(glob: string, name: string): boolean {
  const pattern = pieces(glob);
  let [at, position] = [0, 0];
  // Where the last `*` stands, and how much of the name it has taken so far.
  let star: { readonly at: number; taken: number } | undefined;
  while (position < name.length) {
    const piece = pattern[at];
    if (piece?.kind === "any-run") {
      star = { at, taken: position };
      at++;
    } else if (piece?.kind === "any") {
      at++;
      position += widthAt(name, position);
    } else if (piece !== undefined && name.startsWith(piece.character, position)) {
      at++;
      position += piece.character.length;
    } else if (star !== undefined) {
      star.taken += widthAt(name, star.taken);
      at = star.at + 1;
      position = star.taken;
    } else {
      return false;
    }
  }
  return pattern.slice(at).every((piece) => piece.kind === "any-run");
}

/** How many characters of `name`, some of them several times, {@linkcode matchGlob} may look at. */
export function globCost(glob: string, name: string): number {
  const [first = "", ...others] = glob.split("*");
  const longest = others.reduce((length, run) => Math.max(length, run.length), 1);
  return others.length === 0 ? Math.min(first.length, name.length) : name.length * longest;
}

const UUID_LENGTH = 36;
const UUID_DASHES = [8, 13, 18, 23];

/** Whether a glob matches any UUID with dashes at all. */
export function canMatchUuid(glob: string): boolean {
  // How much of a UUID what was read of the glob can match.
  let lengths = new Set([0]);
  for (const { kind, character } of pieces(glob)) {
    const next = new Set<number>();
    for (const length of lengths) {
      if (kind === "any-run") { for (let more = length; more <= UUID_LENGTH; more++) next.add(more); }
      else if (kind === "any" || (character === "-") === UUID_DASHES.includes(length)) next.add(length + 1);
    }
    lengths = next;
  }
  return lengths.has(UUID_LENGTH);
}

/** How many code units the character at an offset has. */
function widthAt(text: string, offset: number): number {
  return (text.codePointAt(offset) ?? 0) > 0xFFFF ? 2 : 1;
}
