import { assertEquals, assertRejects } from "@std/assert";
import { type BodyReader, createBodyReader } from "../../src/http1/body.ts";
import { createConnection } from "../../src/http1/connection.ts";
import type { Framing } from "../../src/http1/response_head.ts";
import { createWire } from "./wire.ts";

/** Reads pieces to the end, each copied before the next is asked for. */
async function readPieces(reader: BodyReader): Promise<string[]> {
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.next(); piece !== undefined; piece = await reader.next()) {
    pieces.push(piece.slice());
  }
  return pieces.map((piece) => new TextDecoder("latin1").decode(piece));
}

function readerOf(framing: Framing, ...segments: readonly (string | null)[]): BodyReader {
  return createBodyReader(createConnection(createWire(...segments)), framing, "GET");
}

const FRAMINGS: readonly { name: string; framing: Framing; input: (text: string) => string }[] = [
  { name: "of a length", framing: 60_000, input: (text) => text },
  { name: "up to the end of the connection", framing: "close", input: (text) => text },
  {
    name: "in chunks",
    framing: "chunked",
    input: (text) => `${text.length.toString(16)}\r\n${text}\r\n`,
  },
];

for (const { name, framing, input } of FRAMINGS) {
  Deno.test(`next() gives pieces of a body ${name} that slice() copies`, async () => {
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(20_000));
    const segments = texts.map(input);
    const end = framing === "chunked" ? "0\r\n\r\n" : null;
    const pieces = await readPieces(readerOf(framing, ...segments, end));
    assertEquals(pieces.join("") === texts.join(""), true);
  });
}
