/**
 * PROTOCOL.md says what the code does: every frame, code and close code of one is in the other.
 */
import { assert, assertEquals } from "@std/assert";
import { CLIENT_FRAMES } from "../../src/dialect/client_frames.ts";
import { CLOSE_CODES, ERROR_CODES, HTTP_ERRORS, type ServerFrame } from "../../src/protocol/mod.ts";

const DOCUMENT = await Deno.readTextFile(
  new URL("../../src/protocol/PROTOCOL.md", import.meta.url),
);

/** A table over all types, so that the compiler holds it complete. */
const SERVER_FRAMES: Readonly<Record<ServerFrame["type"], true>> = {
  hello: true,
  response: true,
  event: true,
  end: true,
  grant: true,
  error: true,
  pong: true,
  authenticated: true,
  goaway: true,
};

/** The text below a heading, to the next one of its level or above. */
function sectionOf(heading: string): string {
  const [marks = ""] = heading.split(" ");
  const start = DOCUMENT.indexOf(`\n${heading}\n`);
  assert(start >= 0, `PROTOCOL.md has a heading "${heading}"`);
  const rest = DOCUMENT.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${marks.length}} `, "m"));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The cells of the table in a section, without its head; backticks are taken off. */
function rowsOf(section: string): string[][] {
  return section.split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", "")));
}

Deno.test("PROTOCOL.md has a section for every type of frame, and no other", () => {
  const headings = [...sectionOf("## wsfetch.v1 frames").matchAll(/^### (.+)$/gm)]
    .map(([, name]) => name).filter((name) => name !== "Reserved");
  const types = new Set([...Object.keys(CLIENT_FRAMES), ...Object.keys(SERVER_FRAMES)]);
  assertEquals(headings.toSorted(), [...types].toSorted());
});

Deno.test("PROTOCOL.md shows every member of every frame, and no other", async () => {
  const source = await Deno.readTextFile(
    new URL("../../src/protocol/frames.ts", import.meta.url),
  ) + await Deno.readTextFile(new URL("../../src/protocol/errors.ts", import.meta.url));
  const membersOf = (text: string, name: string): string[] => {
    const [, body = ""] = new RegExp(`interface ${name} \\{\\n(.*?)\\n\\}`, "s").exec(text) ?? [];
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+\??):/gm)].map(([, member]) => member ?? "");
  };
  const names = [...DOCUMENT.matchAll(/interface (\w+Frame) /g)].map(([, name]) => name ?? "");
  assertEquals(names.length, 13);
  for (const name of names) {
    const inCode = membersOf(source, name);
    assert(inCode.length > 0, name);
    assertEquals(membersOf(DOCUMENT, name).toSorted(), inCode.toSorted(), name);
  }
});

Deno.test("PROTOCOL.md lists every error code with its traits, and no other", () => {
  const rows = rowsOf(sectionOf("## Error codes")).map(([code, sent, retryable]) => [
    code,
    sent,
    retryable,
  ]);
  const traits = Object.entries(ERROR_CODES).map(([code, { sent, retryable }]) => [
    code,
    sent,
    retryable === "idempotent" ? retryable : retryable ? "yes" : "no",
  ]);
  assertEquals(rows, traits);
});

Deno.test("PROTOCOL.md lists every close code with its reason, and no other", () => {
  const rows = rowsOf(sectionOf("## Close codes")).map(([code, reason]) => [code, reason]);
  assertEquals(rows, Object.entries(CLOSE_CODES));
});

Deno.test("PROTOCOL.md lists every refusal over HTTP with its status, and no other", () => {
  const rows = rowsOf(sectionOf("### Refusals over HTTP")).map(([code, status]) => [code, status]);
  assertEquals(rows, Object.entries(HTTP_ERRORS).map(([code, status]) => [code, String(status)]));
});
