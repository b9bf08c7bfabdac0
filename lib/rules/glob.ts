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
  const characters = [...name];
  let [at, position] = [0, 0];
  // Where the last `*` stands, and how much of the name it has taken so far.
  let star: { readonly at: number; taken: number } | undefined;
  while (position < characters.length) {
    const piece = pattern[at];
    if (piece?.kind === "any-run") {
      star = { at, taken: position };
      at++;
    } else if (piece?.kind === "any" || (piece !== undefined && piece.character === characters[position])) {
      at++;
      position++;
    } else if (star !== undefined) {
      star.taken++;
      at = star.at + 1;
      position = star.taken;
    } else {
      return false;
    }
  }
  return pattern.slice(at).every((piece) => piece.kind === "any-run");
}
