import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import { createHttp1Body, framingOf, Http1Body } from "../../../src/http/h1/response.ts";
import type { Framing } from "../../../src/http/h1/framing.ts";
import { Turns } from "../../../src/turns/turns.ts";
import { createFakeClock } from "../../helpers/clock.ts";
import { createTurns } from "../../helpers/turns.ts";
import { READINGS, readText } from "./test_client.ts";
import { createWire, type Wire } from "./wire.ts";

interface World {
  readonly body: Http1Body;
  /** What `ended` was called with. */
  readonly ends: readonly boolean[];
  readonly connection: TcpConnection;
}

/** Creates a body that arrives in these segments, the first of them with the head. */
async function respond(
  framing: Framing,
  segments: readonly (string | null)[],
  { method = "GET", status = 200, taken = 0, turns = createTurns() } = {},
): Promise<World> {
  const connection = new TcpConnection(createWire(...segments));
  if (segments.length > 0) await connection.fill();
  connection.start += taken;
  const { signal } = new AbortController();
  const ends: boolean[] = [];
  const body = new Http1Body(framingOf(method, { status, framing }), {
    connection,
    method,
    signal,
    turns,
    ended: (isReusable) => ends.push(isReusable),
  });
  return { body, ends, connection };
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
  Deno.test(`Http1Body ends immediately when there is no body: ${name}`, async () => {
    for (const reading of READINGS) {
      const { body, ends } = await respond(framing, [], more);
      assertEquals([body.length, body.isHere, ends], [0, true, [true]]);
      assertEquals(await readText({ body }, { reading }), "");
      body.discard();
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
  { name: "that arrived with the head", framing: 3, input: ["abc"], isReusable: true },
  { name: "that arrived later", framing: 3, input: ["a", "b", "c"], isReusable: true },
  { name: "of chunks", framing: "chunked", input: ["3\r\nabc\r\n0\r\n\r\n"], isReusable: true },
  {
    name: "of chunks that arrived later",
    framing: "chunked",
    input: [..."1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"],
    isReusable: true,
  },
  { name: "with bytes after it", framing: 3, input: ["abcd"], isReusable: false },
  {
    name: "of chunks with bytes after it",
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
  Deno.test(`Http1Body reads a body ${name}, and then releases the connection`, async () => {
    for (const reading of READINGS) {
      const { body, ends } = await respond(framing, input);
      assertEquals([body.length, ends], [
        typeof framing === "number" ? framing : undefined,
        [],
      ]);
      assertEquals([await readText({ body }, { reading }), ends], ["abc", [isReusable]]);
    }
  });
}

Deno.test("Http1Body does not release a connection for reuse when more than a long body has arrived", async () => {
  const text = "a".repeat(100_000);
  for (const excess of ["", "x"]) {
    const { body, ends } = await respond(text.length, ["a", `${text.slice(1)}${excess}`]);
    assertEquals([await readText({ body }) === text, ends], [true, [excess === ""]]);
  }
});

Deno.test("bytes() joins pieces of any size to a body of unknown length", async () => {
  const texts = Array.from(
    { length: 2000 },
    (_, at) => String.fromCharCode(at % 128).repeat(at % 17),
  );
  const text = texts.join("");
  const segments = texts.filter((each) => each !== "");
  const { body } = await respond("close", [...segments, null]);
  assertEquals(await readText({ body }, { maxBytes: text.length }), text);
});

Deno.test("bytes() uses little more memory than a body has, even if it arrives a byte at a time", async () => {
  const { body } = await respond("close", [..."a".repeat(10_000), null]);
  const bytes = await body.bytes(1_000_000);
  assertEquals(bytes.length, 10_000);
  assert(bytes.buffer.byteLength < 20_000, `${bytes.buffer.byteLength} bytes`);
  const other = await respond("close", [..."a".repeat(10_000), null]);
  assert((await other.body.bytes(10_000)).buffer.byteLength <= 10_000);
});

const ARRIVED: readonly {
  readonly name: string;
  readonly framing: Framing;
  readonly input: readonly string[];
  readonly isHere: boolean;
}[] = [
  { name: "that has arrived", framing: 3, input: ["headabc"], isHere: true },
  { name: "that more bytes follow", framing: 3, input: ["headabcd"], isHere: true },
  { name: "that has arrived partly", framing: 6, input: ["headabc", "def"], isHere: false },
  { name: "that has not arrived", framing: 3, input: ["head", "abc"], isHere: false },
  {
    name: "in chunks",
    framing: "chunked",
    input: ["head3\r\nabc\r\n0\r\n\r\n"],
    isHere: false,
  },
];

for (const { name, framing, input, isHere } of ARRIVED) {
  Deno.test(`bytes() of a body ${name} returns ${isHere ? "no" : "a"} promise`, async () => {
    const { body } = await respond(framing, input, { taken: 4 });
    assertEquals(body.isHere, isHere);
    const bytes = body.bytes(10);
    assertEquals(bytes instanceof Promise, !isHere);
    const expected = framing === 6 ? "abcdef" : "abc";
    assertEquals(new TextDecoder().decode(await bytes), expected);
  });
}

Deno.test("bytes() copies a body that is here, since the memory of a connection is reused", async () => {
  const { body, connection } = await respond(3, ["abc"]);
  const bytes = await body.bytes(3);
  connection.memory.fill(0);
  assertEquals(new TextDecoder().decode(bytes), "abc");
});

Deno.test("Http1Body reads nothing after it was discarded or read, even if another response has arrived", async () => {
  for (const finish of [(body: Http1Body) => body.discard(), (body: Http1Body) => body.bytes(3)]) {
    const { body, ends, connection } = await respond(3, ["abc", "def"]);
    await finish(body);
    assertEquals(ends, [true]);
    await connection.fill(); // as many bytes as before
    const { start, end } = connection;
    assertEquals([await body.bytes(9), await Array.fromAsync(body.chunks(9))], [
      new Uint8Array(),
      [],
    ]);
    body.discard();
    assertEquals([ends, connection.start, connection.end], [[true], start, end]);
    assertEquals(end - start, 3);
  }
});

Deno.test("bytes() throws directly when the length of a body exceeds the limit, and ends it", async () => {
  const { body, ends } = await respond(3, ["abc"]);
  const { code } = assertThrows(() => body.bytes(2), ProxyError);
  assertEquals([code, ends], ["http_response_body_size", [false]]);
});

const CUT: readonly { name: string; framing: Framing; input: string }[] = [
  { name: "up to the end of the connection", framing: "close", input: "abc" },
  { name: "up to the end of the connection, before its first byte", framing: "close", input: "" },
  { name: "of known length", framing: 4, input: "abc" },
  { name: "in chunks", framing: "chunked", input: "3\r\nabc\r\n" },
];

for (const { name, framing, input } of CUT) {
  // This is how Deno reports a TLS connection that ends without close_notify: the body may be cut (RFC 9112 §9.8).
  Deno.test(`Http1Body is incomplete when the connection breaks inside a body ${name}`, async () => {
    for (const reading of READINGS) {
      const wire = createWire(...input === "" ? [] : [input]);
      const tcp: Wire = {
        ...wire,
        read: (memory) =>
          wire.unread() > 0
            ? wire.read(memory)
            : Promise.reject(new Deno.errors.UnexpectedEof("x")),
      };
      const ends: boolean[] = [];
      const body = createHttp1Body({ status: 200, framing, codings: [] }, {
        connection: new TcpConnection(tcp),
        method: "GET",
        signal: new AbortController().signal,
        turns: createTurns(),
        ended: (isReusable) => ends.push(isReusable),
      });
      const error = await assertRejects(() => readText({ body }, { reading }), ProxyError);
      assertEquals([error.code, error.sent, error.retryable], [
        "http_response_incomplete",
        "yes",
        true,
      ]);
      assert(error.cause instanceof Deno.errors.UnexpectedEof);
      assertEquals(ends, [false]);
    }
  });
}

Deno.test("Http1Body returns a short body that arrives after its head without a wait for long work", async () => {
  const part = "x".repeat(12_000);
  const SHORT: readonly (readonly [Framing, readonly string[]])[] = [
    [24_000, [part, part]],
    ["chunked", [`2ee0\r\n${part}\r\n`, `2ee0\r\n${part}\r\n0\r\n\r\n`]],
  ];
  for (const [framing, segments] of SHORT) {
    const turns = new Turns(createFakeClock()); // of whose turns none begins
    turns.next();
    const { body } = await respond(framing, segments, { turns });
    assertEquals((await body.bytes(Infinity)).length, 24_000);
  }
});
