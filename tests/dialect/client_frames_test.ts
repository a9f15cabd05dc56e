import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CLIENT_FRAMES } from "../../src/dialect/client_frames.ts";
import { toJsonSchema } from "../../src/dialect/json_schema.ts";
import { type ClientFrame, MAX_ID } from "../../src/protocol/mod.ts";
import { changed, INVALID, type JsonObject, VALID } from "./frames.ts";

const TYPES = ["request", "cancel", "grant", "ping", "auth"] as const;

for (const frame of VALID) {
  Deno.test(`CLIENT_FRAMES accepts ${abbreviate(frame)}`, () => {
    assertEquals(CLIENT_FRAMES[typeOf(frame)].accepts(frame), true);
    assertEquals(describe(frame), "");
  });
}

for (const [message, ...frames] of INVALID) {
  for (const frame of frames) {
    Deno.test(`CLIENT_FRAMES says what is wrong with ${abbreviate(frame)}`, () => {
      assertEquals(CLIENT_FRAMES[typeOf(frame)].accepts(frame), false);
      assertEquals(describe(frame), message);
    });
  }
}

Deno.test("CLIENT_FRAMES refuses more than 1000 query parameters, in however many lists", () => {
  const lists = (first: number): JsonObject => ({
    ...{ type: "request", id: 1, url: "http://x/" },
    query: { a: Array(first).fill(1), b: Array(500).fill(2) },
  });
  assertEquals(describe(lists(500)), "");
  assertEquals(describe(lists(501)), '"query" must have at most 1000 entries');
});

for (const type of TYPES) {
  Deno.test(`CLIENT_FRAMES.${type} accepts exactly the frames with which nothing is wrong`, () => {
    const schema = CLIENT_FRAMES[type];
    const valid = VALID.filter((frame) => frame.type === type);
    const frames = changed([...valid, {}], Object.keys(schema.members));
    let accepted = 0;
    fc.assert(
      fc.property(frames, (frame) => {
        const isValid = schema.accepts(frame);
        assertEquals(schema.describe(frame) === "", isValid);
        if (isValid) accepted++;
      }),
      { numRuns: 2000 },
    );
    assert(accepted > 20, `${accepted}`);
  });
}

Deno.test("CLIENT_FRAMES bounds its messages, and keeps characters whole", () => {
  const request = { type: "request", id: 1, url: "http://x/" };
  for (const before of ["", "a"]) {
    const name = before + "\u{1f600}".repeat(10_000);
    for (const members of [{ [name]: 1 }, { query: { [name]: null } }]) {
      const message = describe({ ...request, ...members });
      assert(message.length < 200 && message.isWellFormed(), message);
    }
  }
  const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`u${at}`, 1]));
  const message = '"u0", "u1", "u2", "u3", "u4" are not members of this frame';
  assertEquals(describe({ ...request, ...unknown }), message);
});

Deno.test("CLIENT_FRAMES describes frames and members in the words of frames.ts", async () => {
  const url = new URL("../../src/protocol/frames.ts", import.meta.url);
  const source = await Deno.readTextFile(url);
  for (const type of TYPES) {
    const name = `${type.charAt(0).toUpperCase()}${type.slice(1)}Frame`;
    const pattern = new RegExp(
      `/\\*\\*((?:(?!\\*/).)*)\\*/\nexport interface ${name} \\{(.*?)\n\\}`,
      "s",
    );
    const [, about = "", body = ""] = pattern.exec(source) ?? [];
    const { description, properties } = toJsonSchema<unknown>(CLIENT_FRAMES[type]);
    assertEquals(description, toSentence(about));
    const comments = [...body.matchAll(/\/\*\*(.*?)\*\/\s*readonly (\w+)/gs)]
      .map(([, comment = "", member = ""]) => [member, toSentence(comment)]);
    const described = Object.entries(properties ?? {}).filter(([member]) => member !== "type")
      .map(([member, schema]) => [member, schema.description]);
    assertEquals(comments, described);
  }
});

/** Returns the text of a JSDoc comment. */
function toSentence(comment: string): string {
  return comment.replaceAll(/\n\s*\*/g, " ").replaceAll(/\s+/g, " ").trim()
    .replaceAll("{@linkcode MAX_ID}", `${MAX_ID}`).replaceAll(/\{@linkcode (\w+)\}/g, "`$1`");
}

function describe(frame: JsonObject): string {
  return CLIENT_FRAMES[typeOf(frame)].describe(frame);
}

function typeOf({ type }: JsonObject): ClientFrame["type"] {
  const known = TYPES.find((name) => name === type);
  if (known === undefined) throw new Error(`No type of frame: ${type}`);
  return known;
}

function abbreviate(frame: JsonObject): string {
  const text = JSON.stringify(frame);
  return text.length <= 100 ? text : `${text.slice(0, 100)}… (${text.length} characters)`;
}
