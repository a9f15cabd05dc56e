import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CLIENT_FRAMES } from "../../src/dialect/client_frames.ts";
import { toJsonSchema } from "../../src/dialect/json_schema.ts";
import { plain } from "../../src/dialect/plain.ts";
import { PLAIN_FRAME } from "../../src/dialect/plain_frame.ts";
import { v1 } from "../../src/dialect/v1.ts";
import type { JsonSchema } from "../../src/dialect/value_check.ts";
import { changed, INVALID, type JsonObject, VALID } from "./frames.ts";
import { validates } from "./json_schema.ts";

const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  request: toJsonSchema(CLIENT_FRAMES.request),
  cancel: toJsonSchema(CLIENT_FRAMES.cancel),
  grant: toJsonSchema(CLIENT_FRAMES.grant),
  ping: toJsonSchema(CLIENT_FRAMES.ping),
  auth: toJsonSchema(CLIENT_FRAMES.auth),
};
const PLAIN = toJsonSchema(PLAIN_FRAME);

/** What `decode` refuses and JSON Schema cannot express. */
const BEYOND_SCHEMA =
  /^"url" is not an absolute URL|^"base64" is not valid base64|^A \S+ request cannot have a body|^"data/;

const DOCUMENT = await Deno.readTextFile(
  new URL("../../src/protocol/PROTOCOL.md", import.meta.url),
);

Deno.test("toJsonSchema() writes the schema of a frame", () => {
  assertEquals(SCHEMAS.grant, {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    description: CLIENT_FRAMES.grant.description,
    type: "object",
    properties: {
      type: { description: "The type of the frame.", enum: ["grant"] },
      id: {
        description: "The id of the exchange.",
        type: "integer",
        minimum: 1,
        maximum: 4294967295,
      },
      bytes: {
        description: "The additional credit in payload bytes, from 1 to 2^53 - 1.",
        type: "integer",
        minimum: 1,
        maximum: 2 ** 53 - 1,
      },
    },
    required: ["type", "id", "bytes"],
    additionalProperties: false,
  });
});

Deno.test("toJsonSchema() writes JSON, and the default of a member", () => {
  for (const schema of [...Object.values(SCHEMAS), PLAIN]) {
    assertEquals(JSON.parse(JSON.stringify(schema)), schema);
  }
  const { method, redirect, stream } = Object(SCHEMAS.request?.properties);
  assertEquals([method.default, redirect.default, stream.default], ["GET", "follow", false]);
});

Deno.test("toJsonSchema() accepts the frames that are valid", () => {
  for (const frame of VALID) {
    assert(validates(SCHEMAS[`${frame.type}`], frame), JSON.stringify(frame));
  }
});

Deno.test("toJsonSchema() refuses the frames that are not valid", () => {
  for (const [message, ...frames] of INVALID) {
    for (const frame of frames) assert(!validates(SCHEMAS[`${frame.type}`], frame), message);
  }
});

Deno.test("toJsonSchema() accepts the frames that PROTOCOL.md shows clients send", () => {
  const texts = [...DOCUMENT.matchAll(/C → (\{.*?\})/g)]
    .map(([, text = ""]) => text.replace(/,…\}$/, ',"url":"https://api.example.com/"}'));
  assert(texts.length >= 10);
  for (const text of texts) {
    const frame: JsonObject = JSON.parse(text);
    assert(validates(SCHEMAS[`${frame.type}`], frame), text);
    assert(v1.decode(text).type !== "invalid", text);
  }
  const plainFrames = [...DOCUMENT.matchAll(/```json\n(.*?)```/gs)]
    .map(([, text = ""]) => JSON.parse(text)).filter((frame) => "method" in frame);
  assertEquals(plainFrames.map((frame) => validates(PLAIN, frame)), [true]);
});

for (const [type, schema] of Object.entries(SCHEMAS)) {
  Deno.test(`toJsonSchema() and v1.decode() agree on frames of the type ${type}`, () => {
    const valid = VALID.filter((frame) => frame.type === type);
    const frames = changed(valid, Object.keys(Object(schema.properties)))
      .map((frame) => ({ ...frame, type }));
    assertAgrees(frames, schema, v1.decode);
  });
}

Deno.test("toJsonSchema() and plain.decode() agree on frames", () => {
  const valid = [{ url: "http://a.example/", method: "GET" }, { url: "http://x/", method: "PUT" }];
  assertAgrees(changed(valid, Object.keys(PLAIN_FRAME.members)), PLAIN, plain.decode);
});

function assertAgrees(
  frames: fc.Arbitrary<JsonObject>,
  schema: JsonSchema,
  decode: typeof v1.decode,
): void {
  let accepted = 0;
  fc.assert(
    fc.property(frames, (frame) => {
      const isValid = validates(schema, frame);
      const incoming = decode(JSON.stringify(frame));
      if (isValid) accepted++;
      if (incoming.type !== "invalid") assert(isValid);
      else if (isValid) assert(BEYOND_SCHEMA.test(incoming.error.message), incoming.error.message);
    }),
    { numRuns: 2000 },
  );
  assert(accepted > 20, `${accepted}`);
}
