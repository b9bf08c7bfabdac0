/**
 * Globs for names: `*` matches any number of characters, `?` matches one, `\` escapes the next character.
 * @module
 */

interface GlobToken {
  readonly kind: "any-run" | "any" | "character";
  readonly character: string;
}

function tokensOf(glob: string): readonly GlobToken[] {
  return [...glob.matchAll(/\\(.)|[^]/gu)].map(([whole, escaped]) => {
    if (escaped !== undefined) return { kind: "character", character: escaped };
    if (whole === "*") return { kind: "any-run", character: whole };
    if (whole === "?") return { kind: "any", character: whole };
    return { kind: "character", character: whole };
  });
}

/** Whether `glob` matches the whole of `name`. Takes time proportional to the product of their lengths at most. */
export function matchGlob(glob: string, name: string): boolean {
  const pattern = tokensOf(glob);
  let [index, position] = [0, 0];
  // The position of the last `*`, and how much of the name it has matched so far.
  let star: { readonly index: number; taken: number } | undefined;
  while (position < name.length) {
    const token = pattern[index];
    if (token?.kind === "any-run") {
      star = { index, taken: position };
      index++;
    } else if (token?.kind === "any") {
      index++;
      position += widthAt(name, position);
    } else if (token !== undefined && name.startsWith(token.character, position)) {
      index++;
      position += token.character.length;
    } else if (star !== undefined) {
      star.taken += widthAt(name, star.taken);
      index = star.index + 1;
      position = star.taken;
    } else {
      return false;
    }
  }
  return pattern.slice(index).every((token) => token.kind === "any-run");
}

/** Returns an upper bound of the characters of `name` that {@linkcode matchGlob} compares, repetitions included. */
export function globCost(glob: string, name: string): number {
  const [first = "", ...others] = glob.split("*");
  const longest = others.reduce((length, run) => Math.max(length, run.length), 1);
  return others.length === 0 ? Math.min(first.length, name.length) : name.length * longest;
}

const UUID_LENGTH = 36;
const UUID_DASHES = [8, 13, 18, 23];

/** Whether a glob can match a UUID with dashes. */
export function canMatchUuid(glob: string): boolean {
  // The lengths of UUID prefixes that the glob's tokens so far can match.
  let lengths = new Set([0]);
  for (const { kind, character } of tokensOf(glob)) {
    const next = new Set<number>();
    for (const length of lengths) {
      if (kind === "any-run") { for (let more = length; more <= UUID_LENGTH; more++) next.add(more); }
      else if (kind === "any" || (character === "-") === UUID_DASHES.includes(length)) next.add(length + 1);
    }
    lengths = next;
  }
  return lengths.has(UUID_LENGTH);
}

/** Returns the number of code units of the character at an offset. */
function widthAt(text: string, offset: number): number {
  return (text.codePointAt(offset) ?? 0) > 0xFFFF ? 2 : 1;
}
