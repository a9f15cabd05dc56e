import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BodyReader, createBodyReader } from "../../../src/http/h1/body.ts";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import type { Framing } from "../../../src/http/h1/framing.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createWire } from "./wire.ts";

/** Reads all pieces, each copied before the next is requested. */
async function readPieces(reader: BodyReader): Promise<string[]> {
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.next(); piece !== undefined; piece = await reader.next()) {
    pieces.push(piece.slice());
  }
  return pieces.map((piece) => new TextDecoder("latin1").decode(piece));
}

function readerOf(framing: Framing, ...segments: readonly (string | null)[]): BodyReader {
  return createBodyReader(new TcpConnection(createWire(...segments)), framing, "GET");
}

const FRAMINGS: readonly { name: string; framing: Framing; input: (text: string) => string }[] = [
  { name: "of known length", framing: 60_000, input: (text) => text },
  { name: "up to the end of the connection", framing: "close", input: (text) => text },
  {
    name: "in chunks",
    framing: "chunked",
    input: (text) => `${text.length.toString(16)}\r\n${text}\r\n`,
  },
];

for (const { name, framing, input } of FRAMINGS) {
  Deno.test(`next() returns pieces of a body ${name} that slice() copies`, async () => {
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(20_000));
    const segments = texts.map(input);
    const end = framing === "chunked" ? "0\r\n\r\n" : null;
    const pieces = await readPieces(readerOf(framing, ...segments, end));
    assertEquals(pieces.join("") === texts.join(""), true);
  });
}

Deno.test("next() returns many small chunks that have arrived as one piece", async () => {
  const chunks = "1;x=y\r\na\r\n2\r\nbc\r\n".repeat(500);
  const pieces = await readPieces(readerOf("chunked", `${chunks}3`, "\r\ndef\r\n0\r\n\r\n"));
  assertEquals(pieces, ["abc".repeat(500), "def"]);
});

Deno.test("next() returns the part of a chunk that has arrived, without waiting for the rest", async () => {
  const reader = readerOf("chunked", "5\r\na", "b", "cde\r\n1\r\nf\r", "\n0\r\n", "\r\n");
  assertEquals(await readPieces(reader), ["a", "b", "cdef"]);
});

Deno.test("next() returns the data before broken framing, and then fails", async () => {
  for (const wrong of ["x\r\n", "\r\nx", "\r\n1", "\r\n1\r\n"]) {
    const reader = readerOf("chunked", `2\r\nab${wrong}`, null);
    assertEquals(new TextDecoder().decode(await reader.next()), "ab");
    const { code, retryable } = await assertRejects(async () => await reader.next(), ProxyError);
    assertEquals([code, retryable], ["http_response_incomplete", true]);
  }
});

Deno.test("next() takes only bytes of the body", async () => {
  const ends: readonly (readonly [Framing, string])[] = [
    [3, "abc"],
    ["chunked", "3\r\nabc\r\n0\r\n\r\n"],
  ];
  for (const [framing, body] of ends) {
    const connection = new TcpConnection(createWire(`${body}after`));
    await connection.fill();
    assertEquals(await readPieces(createBodyReader(connection, framing, "GET")), ["abc"]);
    assertEquals(connection.memory.toString("latin1", connection.start, connection.end), "after");
  }
});

Deno.test("next() reads nothing for an empty body", async () => {
  const wire = createWire("after");
  const reader = createBodyReader(new TcpConnection(wire), 0, "GET");
  assertEquals([await readPieces(reader), wire.unread()], [[], 1]);
});

const SHORT: readonly { name: string; framing: Framing; input: string }[] = [
  { name: "of known length", framing: 4, input: "abc" },
  { name: "in chunks, inside a chunk", framing: "chunked", input: "4\r\nabc" },
  { name: "in chunks, between chunks", framing: "chunked", input: "3\r\nabc\r\n" },
  { name: "in chunks, without its last line", framing: "chunked", input: "3\r\nabc\r\n0\r\n" },
];

for (const { name, framing, input } of SHORT) {
  Deno.test(`next() fails when a body ends too early: ${name}`, async () => {
    for (const segments of [[input], [...input]]) {
      for (const [method, expected] of [["GET", true], ["POST", false]] as const) {
        const connection = new TcpConnection(createWire(...segments, null));
        const reader = createBodyReader(connection, framing, method);
        const { code, retryable } = await assertRejects(() => readPieces(reader), ProxyError);
        assertEquals([code, retryable], ["http_response_incomplete", expected]);
      }
    }
  });
}

Deno.test("next() reads more at a time when a body has filled the memory", async () => {
  const chunk = `1000\r\n${"a".repeat(0x1000)}\r\n`;
  const pieces = await readPieces(readerOf("chunked", `${chunk.repeat(100)}0\r\n\r\n`));
  assertEquals(pieces.join(""), "a".repeat(0x1000 * 100));
  assert(pieces.length < 10, `${pieces.length} pieces`);
});

const LONG: readonly { name: string; framing: Framing; input: string }[] = [
  { name: "of known length", framing: 1_000_000, input: "a".repeat(1_000_000) },
  { name: "up to the end of the connection", framing: "close", input: "a".repeat(1_000_000) },
  {
    name: "in one chunk",
    framing: "chunked",
    input: `${(1_000_000).toString(16)}\r\n${"a".repeat(1_000_000)}\r\n0\r\n\r\n`,
  },
];

for (const { name, framing, input } of LONG) {
  Deno.test(`next() reads a long body ${name} in pieces of at least 64 KiB`, async () => {
    const pieces = await readPieces(readerOf(framing, input, null));
    assertEquals(pieces.join("").length, 1_000_000);
    assert(pieces.length <= 17, `${pieces.length} pieces`);
  });
}

const SHORT_BODIES: readonly { name: string; framing: Framing; segments: readonly string[] }[] = [
  { name: "of known length", framing: 16_384, segments: ["a", "a".repeat(16_383)] },
  { name: "in chunks", framing: "chunked", segments: [..."3\r\nabc\r\n0\r\n\r\n"] },
  { name: "in one chunk", framing: "chunked", segments: ["4000\r\n", "a".repeat(9), "b"] },
];

for (const { name, framing, segments } of SHORT_BODIES) {
  Deno.test(`next() takes no more memory for a short body ${name}`, async () => {
    const connection = new TcpConnection(createWire(...segments));
    const { length } = connection.memory;
    const reader = createBodyReader(connection, framing, "GET");
    for (let read = 0; read < 2; read++) await reader.next();
    assertEquals(connection.memory.length, length);
  });
}
