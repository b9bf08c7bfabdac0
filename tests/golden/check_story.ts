/**
 * Compares a played story with its expectations; with `UPDATE_GOLDEN=1` rewrites the expected texts instead.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { matchesText, withPlaceholders } from "../../lib/story/placeholders.ts";
import type { Played } from "../../lib/story/player.ts";
import type { Story, StoryCall } from "../../lib/story/story.ts";

/** The fields every line of the history has, in this order, whatever else it has. */
const HISTORY_FIELDS: readonly string[] = [
  "level",
  "datetime",
  "message",
  "driver",
  "object",
  "operation",
  "subOperation",
  "extra",
  "rules",
  "actions",
  "outcome",
  "exitCode",
  "durationMs",
];

/** Compares a played story with its expectations. @throws {Error} at the first difference. */
export function checkStory(story: Story, played: Played, update: boolean): void {
  for (const [index, call] of story.calls.entries()) {
    const result = played.results[index];
    if (result === undefined) throw new Error(`Cannot check call ${index + 1}: it was not played`);
    const about = `call ${index + 1} (${call.program} ${JSON.stringify(call.args)})`;
    checkText(story, { name: call.stdout, bytes: result.stdout, about: `${about}: stdout`, update });
    checkText(story, { name: call.stderr, bytes: result.stderr, about: `${about}: stderr`, update });
    assertEquals(result.exitCode, call.exitCode, `${about}: exit code`);
    const seconds = (ms: number): string => `${about}: took ${Math.round(ms)} ms, at most ${call.maxMs} expected`;
    assertEquals(result.durationMs <= (call.maxMs ?? Infinity), true, seconds(result.durationMs));
  }
  checkHistory(story, played);
  for (const [path, name] of Object.entries(story.after)) {
    const bytes = played.after[path];
    assertEquals(bytes === undefined ? "nothing" : "a file", name === null ? "nothing" : "a file", path);
    if (name !== null && bytes !== undefined) checkText(story, { name, bytes, about: path, update });
  }
  assertEquals(played.processes, story.processes, "processes that live on");
  assertEquals(played.tmpChanges, [], "changes in /tmp");
}

interface Expected {
  /** The file that has the expected text; none means that none is expected. */
  readonly name: string | undefined;
  readonly bytes: Uint8Array;
  readonly about: string;
  readonly update: boolean;
}

function checkText(story: Story, { name, bytes, about, update }: Expected): void {
  const actual = new TextDecoder().decode(bytes);
  if (name === undefined) return assertEquals(actual, "", about);
  const path = `${story.folder}/${name}`;
  const expected = readText(path);
  if (matchesText(actual, expected)) return;
  if (!update) assertEquals(actual, expected, `${about}: ${name}`);
  Deno.writeTextFileSync(path, actual);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function checkHistory(story: Story, played: Played): void {
  const expected = story.calls.map((call) => call.history).filter((history) => history !== null);
  const entries = played.history.trimEnd().split("\n").filter((line) => line !== "").map(parseEntry);
  assertEquals(entries.length, expected.length, `lines in the history:\n${played.history}`);
  for (const [index, entry] of entries.entries()) {
    const about = `line ${index + 1} of the history: ${JSON.stringify(entry)}`;
    const fields = Object.keys(entry).filter((field) => HISTORY_FIELDS.includes(field));
    assertEquals(fields, HISTORY_FIELDS, `${about}: its fields`);
    const wanted = { ...impliedHistory(story, index), ...expected[index] };
    assertEquals(withPlaceholders(entry, wanted), wanted, about);
  }
  if (entries.length > 0) assertEquals(played.historyRights, "600 0", "mode and owner of the history");
}

/** What the history says of a call anyway, so that stories need not. */
function impliedHistory(story: Story, index: number): Record<string, unknown> {
  const call = story.calls.filter((candidate) => candidate.history !== null)[index];
  if (call === undefined) return {};
  const [object, , subOperation, extra] = call.args.map(plain);
  return { driver: call.program, object, subOperation, extra, exitCode: call.exitCode, datetime: "[NUMBER]-[WILDCARD]Z" };
}

function plain(argument: StoryCall["args"][number]): string {
  return typeof argument === "string" ? argument : argument.bytes;
}

function parseEntry(line: string): Record<string, unknown> {
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== "object" || entry === null) throw new Error(`Cannot read a line of the history: ${line}`);
  return { ...entry };
}
