import { assert, assertEquals } from "@std/assert";
import { createConnection } from "../../../src/http/h1/connection.ts";
import { createResponse } from "../../../src/http/h1/response.ts";
import type { Framing, ResponseHead } from "../../../src/http/h1/response_head.ts";
import type { TransportResponse } from "../../../src/http/transport.ts";
import { readText } from "./ask.ts";
import { createWire } from "./wire.ts";

interface World {
  readonly response: TransportResponse;
  /** What `ended` was called with. */
  readonly ends: readonly boolean[];
}

/** A response whose body comes in these segments; the first has come with the head. */
async function respond(
  framing: Framing,
  segments: readonly (string | null)[],
  { method = "GET", status = 200 } = {},
): Promise<World> {
  const connection = createConnection(createWire(...segments));
  if (segments.length > 0) await connection.fill();
  const head: ResponseHead = {
    status,
    statusText: "x",
    headers: [],
    framing,
    keepAlive: true,
    keepAliveSeconds: undefined,
  };
  const { signal } = new AbortController();
  const ends: boolean[] = [];
  const context = { connection, method, signal };
  return { response: createResponse(context, head, (isReusable) => ends.push(isReusable)), ends };
}

const BODILESS: readonly { name: string; method?: string; status?: number; framing: Framing }[] = [
  { name: "HEAD, whatever its length", method: "HEAD", framing: 3 },
  { name: "HEAD, whatever its chunks", method: "HEAD", framing: "chunked" },
  { name: "HEAD, without a length", method: "HEAD", framing: "close" },
  { name: "204", status: 204, framing: "close" },
  { name: "304, whatever its length", status: 304, framing: 3 },
  { name: "a length of 0", framing: 0 },
];

for (const { name, framing, ...more } of BODILESS) {
  Deno.test(`createResponse() ends at once with no body: ${name}`, async () => {
    for (const reading of ["bytes", "chunks"] as const) {
      const { response, ends } = await respond(framing, [], more);
      assertEquals([response.length, response.decoded, ends], [0, false, [true]]);
      assertEquals(await readText(response, { reading }), "");
      response.discard();
      assertEquals(ends, [true]);
    }
  });
}

const BODIES: readonly {
  readonly name: string;
  readonly framing: Framing;
  readonly input: readonly (string | null)[];
  readonly isReusable: boolean;
}[] = [
  { name: "that came with the head", framing: 3, input: ["abc"], isReusable: true },
  { name: "that came later", framing: 3, input: ["a", "b", "c"], isReusable: true },
  { name: "of chunks", framing: "chunked", input: ["3\r\nabc\r\n0\r\n\r\n"], isReusable: true },
  {
    name: "of chunks that came later",
    framing: "chunked",
    input: [..."1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"],
    isReusable: true,
  },
  { name: "with bytes behind it", framing: 3, input: ["abcd"], isReusable: false },
  {
    name: "of chunks with bytes behind it",
    framing: "chunked",
    input: ["3\r\nabc\r\n0\r\n\r\nd"],
    isReusable: false,
  },
  {
    name: "that ended with the connection",
    framing: "close",
    input: ["a", "bc", null],
    isReusable: false,
  },
];

for (const { name, framing, input, isReusable } of BODIES) {
  Deno.test(`createResponse() gives a body ${name}, and then the connection back`, async () => {
    for (const reading of ["bytes", "chunks"] as const) {
      const { response, ends } = await respond(framing, input);
      assertEquals([response.length, ends], [
        typeof framing === "number" ? framing : undefined,
        [],
      ]);
      assertEquals([await readText(response, { reading }), ends], ["abc", [isReusable]]);
    }
  });
}

Deno.test("createResponse() gives back no connection that has said more than a long body", async () => {
  const text = "a".repeat(100_000);
  for (const excess of ["", "x"]) {
    const { response, ends } = await respond(text.length, ["a", `${text.slice(1)}${excess}`]);
    assertEquals([await readText(response) === text, ends], [true, [excess === ""]]);
  }
});

Deno.test("bytes() puts a body of unknown length together from pieces of any size", async () => {
  const texts = Array.from(
    { length: 2000 },
    (_, at) => String.fromCharCode(at % 128).repeat(at % 17),
  );
  const text = texts.join("");
  const segments = texts.filter((each) => each !== "");
  const { response } = await respond("close", [...segments, null]);
  assertEquals(await readText(response, { maxBytes: text.length }), text);
});

Deno.test("bytes() takes little more memory than a body has, though it comes a byte at a time", async () => {
  const { response } = await respond("close", [..."a".repeat(10_000), null]);
  const bytes = await response.bytes(1_000_000);
  assertEquals(bytes.length, 10_000);
  assert(bytes.buffer.byteLength < 20_000, `${bytes.buffer.byteLength} bytes`);
  const other = await respond("close", [..."a".repeat(10_000), null]);
  assert((await other.response.bytes(10_000)).buffer.byteLength <= 10_000);
});
