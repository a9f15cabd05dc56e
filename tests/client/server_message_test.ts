import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseServerMessage } from "../../src/client/server_message.ts";

const HELLO = { type: "hello", protocol: "wsfetch.v1" };
const NO_LIMITS = {
  maxFrameBytes: Infinity,
  maxInFlight: Infinity,
  maxRequestBytes: Infinity,
  maxTimeoutMs: Infinity,
  windowBytes: 0,
};

const FRAMES: readonly { name: string; input: object; expected: object }[] = [
  {
    name: "invalid limits as no limits",
    input: { ...HELLO, limits: { maxInFlight: "1", maxFrameBytes: -1, maxTimeoutMs: 0.5 } },
    expected: { type: "hello", limits: NO_LIMITS },
  },
  {
    name: "limits",
    input: { ...HELLO, limits: { maxInFlight: 1, windowBytes: 2, other: 3 } },
    expected: { type: "hello", limits: { ...NO_LIMITS, maxInFlight: 1, windowBytes: 2 } },
  },
  { name: "a pong with data", input: { type: "pong", data: "x" }, expected: { type: "pong" } },
  { name: "the end", input: { type: "end", id: 1 }, expected: { type: "end", id: 1 } },
  {
    name: "a grant",
    input: { type: "grant", id: 1, bytes: 5 },
    expected: { type: "grant", id: 1, bytes: 5 },
  },
  {
    name: "an event whose id is not a valid header value as an event without id",
    input: { type: "event", id: 1, event: "e", data: "d", lastEventId: "a\nb", retryMs: -1 },
    expected: {
      type: "event",
      id: 1,
      event: "e",
      data: "d",
      lastEventId: undefined,
      retryMs: undefined,
    },
  },
];
for (const { name, input, expected } of FRAMES) {
  Deno.test(`parseServerMessage() parses ${name}`, () => {
    assertEquals<object>(parseServerMessage(JSON.stringify(input)), expected);
  });
}

const INVALID: readonly { name: string; input: unknown; id?: number }[] = [
  { name: "invalid JSON", input: "{" },
  { name: "an array", input: "[]" },
  { name: "another protocol", input: JSON.stringify({ ...HELLO, protocol: "x", limits: {} }) },
  { name: "an unknown type", input: '{"type":"x","id":7}', id: 7 },
  { name: "an incomplete response", input: '{"type":"response","id":7}', id: 7 },
  { name: "a grant without a number", input: '{"type":"grant","id":7,"bytes":"1"}', id: 7 },
  { name: "an event without data", input: '{"type":"event","id":7,"event":"e"}', id: 7 },
  { name: "an end without an id", input: '{"type":"end"}' },
  { name: "a chunk without flags", input: new Uint8Array([0, 0, 0, 7]).buffer, id: 7 },
  { name: "a chunk with unknown flags", input: new Uint8Array([0, 0, 0, 7, 2]).buffer, id: 7 },
  { name: "a chunk without an id", input: new Uint8Array([7]).buffer },
];
for (const { name, input, id } of INVALID) {
  Deno.test(`parseServerMessage() returns an invalid message for ${name}`, () => {
    const message = parseServerMessage(input);
    if (message.type !== "invalid") throw new Error(`Parsed as ${message.type}`);
    assertEquals([message.id, message.error.code, message.error.sent], [id, "bad_frame", "maybe"]);
  });
}

Deno.test("parseServerMessage() never throws", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.string(),
      fc.json(),
      fc.uint8Array().map((bytes) => bytes.buffer),
      fc.record({ type: fc.constantFrom("hello", "response", "error", "event"), id: fc.anything() })
        .map((frame) => {
          try {
            return JSON.stringify(frame);
          } catch {
            return ""; // a cycle or a bigint
          }
        }),
      fc.anything(),
    ),
    (data) => {
      assert(typeof parseServerMessage(data).type === "string");
    },
  ));
});
