/**
 * Makes docs/picture.svg: a terminal with the output of `explain` and `status`. The output is that of the golden story
 * docs/overview, which the golden tests compare with what the compiled programs print.
 *
 * `deno task picture` writes the file.
 * @module
 */
import { sampleText } from "./sample_text.ts";

const ROOT = new URL("../../", import.meta.url);
const PICTURE = new URL("docs/picture.svg", ROOT);
const STORY = new URL("tests/golden/docs/overview/", ROOT);

const TITLE = "virt-hooks explain and virt-hooks status in a terminal";
/** What is typed, and the file of the story with what is printed. */
const SCREEN: readonly (readonly [string, string | undefined])[] = [
  ["virsh dumpxml db-1 | virt-hooks explain qemu db-1 prepare", "explain.txt"],
  ["virsh --quiet start db-1; virsh --quiet start db-2; virsh --quiet start web-1", undefined],
  ["virt-hooks status", "status.txt"],
];

const CHARACTER_WIDTH = 7.8;
const LINE_HEIGHT = 18;
const MARGIN = 20;
const COLOURS = { command: "#ffffff", quiet: "#8b949e", good: "#3fb950", change: "#d2a8ff", name: "#79c0ff" } as const;

interface Span {
  readonly text: string;
  readonly colour?: keyof typeof COLOURS;
}

/** Colours by the form of a piece of text; the first that matches counts. */
const STYLES: readonly (readonly [RegExp, keyof typeof COLOURS])[] = [
  [/^(?:ok|active|all ok)$/, "good"],
  [/→/, "change"],
  [/^"/, "name"],
  [/^(?:hold|plan:|STATE.*|HOST.*)$/, "quiet"],
];
const PIECES = /(\bok\b|\bactive\b|all ok|\bhold\b|^plan:$|\bSTATE .*|\bHOST .*|"[^"]*"|\S+(?: pages)? → .*)/;

/** Makes the picture. */
export async function makePicture(): Promise<string> {
  const lines: (readonly Span[])[] = [];
  for (const [command, file] of SCREEN) {
    lines.push([{ text: "# ", colour: "quiet" }, { text: command, colour: "command" }]);
    if (file === undefined) continue;
    const output = sampleText(await Deno.readTextFile(new URL(file, STORY))).trimEnd().split("\n");
    lines.push(...output.map(spansOf), []);
  }
  return svg(lines.slice(0, -1));
}

function spansOf(line: string): readonly Span[] {
  return line.split(PIECES).filter((text) => text !== "").map((text) => {
    const style = STYLES.find(([form]) => form.test(text));
    return style === undefined ? { text } : { text, colour: style[1] };
  });
}

function svg(lines: readonly (readonly Span[])[]): string {
  const columns = Math.max(...lines.map(lengthOf));
  const width = Math.ceil(columns * CHARACTER_WIDTH) + 2 * MARGIN;
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  const texts = lines.flatMap((spans, index) =>
    spans.length === 0 ? [] : [textElement(spans, MARGIN + (index + 0.75) * LINE_HEIGHT)]
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${TITLE}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<g font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13" fill="#c9d1d9">`,
    ...texts,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

/** The length is given, so that the columns stay aligned whatever font there is. */
function textElement(spans: readonly Span[], y: number): string {
  const length = (lengthOf(spans) * CHARACTER_WIDTH).toFixed(1);
  const inner = spans.map(({ text, colour }) =>
    colour === undefined ? escaped(text) : `<tspan fill="${COLOURS[colour]}">${escaped(text)}</tspan>`
  );
  const place = `x="${MARGIN}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"`;
  return `<text ${place}>${inner.join("")}</text>`;
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + [...text].length, 0);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

if (import.meta.main) await Deno.writeTextFile(PICTURE, await makePicture());
