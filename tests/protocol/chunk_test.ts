import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Chunk,
  decodeChunk,
  encodeChunk,
  MAX_CHUNK_BYTES,
  MAX_CHUNK_MESSAGE_BYTES,
  MAX_ID,
  ProxyError,
} from "../../src/protocol/mod.ts";

const chunks: fc.Arbitrary<Chunk> = fc.record({
  id: fc.integer({ min: 1, max: MAX_ID }),
  fin: fc.boolean(),
  payload: fc.uint8Array().map((bytes) => Uint8Array.from(bytes)),
});

const MESSAGES: readonly { name: string; chunk: Chunk; expected: number[] }[] = [
  {
    name: "the id, most significant byte first",
    chunk: { id: 0x01020304, fin: false, payload: Uint8Array.of() },
    expected: [1, 2, 3, 4, 0],
  },
  {
    name: "the smallest id, FIN and a payload",
    chunk: { id: 1, fin: true, payload: Uint8Array.of(65, 0, 255) },
    expected: [0, 0, 0, 1, 1, 65, 0, 255],
  },
  {
    name: "the largest id",
    chunk: { id: MAX_ID, fin: false, payload: Uint8Array.of(1) },
    expected: [255, 255, 255, 255, 0, 1],
  },
];

for (const { name, chunk, expected } of MESSAGES) {
  Deno.test(`encodeChunk() writes ${name}, and decodeChunk() reads it`, () => {
    assertEquals([...encodeChunk(chunk)], expected);
    assertEquals(decodeChunk(Uint8Array.from(expected).buffer), chunk);
  });
}

Deno.test("decodeChunk() gives what encodeChunk() was given", () => {
  fc.assert(fc.property(chunks, (chunk) => {
    assertEquals(decodeChunk(encodeChunk(chunk).slice().buffer), chunk);
  }));
});

Deno.test("encodeChunk() writes into memory that was used before, wherever it lies", () => {
  fc.assert(fc.property(chunks, fc.nat(9), (chunk, offset) => {
    const memory = new Uint8Array(offset + 5 + chunk.payload.byteLength + 3).fill(0xaa);
    const bytes = encodeChunk(chunk, memory.subarray(offset));
    assertStrictEquals(bytes.buffer, memory.buffer);
    assertEquals(bytes, encodeChunk(chunk));
    assert([...memory.subarray(0, offset), ...memory.slice(-3)].every((byte) => byte === 0xaa));
  }));
});

Deno.test("encodeChunk() copies the payload of a part of a larger piece of memory", () => {
  const memory = Uint8Array.of(1, 2, 3, 4);
  const bytes = encodeChunk({ id: 1, fin: false, payload: memory.subarray(1, 3) });
  memory.fill(9);
  assertEquals([...bytes], [0, 0, 0, 1, 0, 2, 3]);
});

Deno.test("MAX_CHUNK_MESSAGE_BYTES is the size of the largest chunk of the server", () => {
  const payload = new Uint8Array(MAX_CHUNK_BYTES);
  assertEquals(encodeChunk({ id: 1, fin: true, payload }).byteLength, MAX_CHUNK_MESSAGE_BYTES);
});

const REFUSED: readonly { name: string; input: number[]; expected: string }[] = [
  { name: "nothing", input: [], expected: "A binary frame needs 4 bytes of id" },
  { name: "an id without flags", input: [0, 0, 0, 1], expected: "A binary frame needs 4 bytes" },
  ...[2, 3, 128, 255].map((flags) => ({
    name: `the flags ${flags}`,
    input: [0, 0, 0, 1, flags, 65],
    expected: "A binary frame may set no flag but bit 0 (FIN)",
  })),
];

for (const { name, input, expected } of REFUSED) {
  Deno.test(`decodeChunk() refuses ${name}`, () => {
    const message = Uint8Array.from(input).buffer;
    const { code, sent } = assertThrows(() => decodeChunk(message), ProxyError, expected);
    assertEquals([code, sent], ["bad_frame", "no"]);
  });
}

Deno.test("decodeChunk() gives every byte of a message back, or throws ProxyError and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (junk) => {
      const message = Uint8Array.from(junk);
      try {
        assertEquals(encodeChunk(decodeChunk(message.buffer)), message);
      } catch (error) {
        assert(error instanceof ProxyError && error.code === "bad_frame", String(error));
        assert(message.byteLength < 5 || (message[4] ?? 0) > 1);
      }
    }),
    { numRuns: 1000 },
  );
});
