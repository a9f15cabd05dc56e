import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { createCredit, type Credit } from "../../src/connection/credit.ts";
import type { Exchange } from "../../src/connection/in_flight.ts";
import {
  createOutlet,
  type Outlet,
  type OutletDeps,
  sendWhole,
} from "../../src/connection/outlet.ts";
import type { FrameSocket, Message } from "../../src/connection/socket.ts";
import { plain } from "../../src/dialect/plain.ts";
import { v1 } from "../../src/dialect/v1.ts";
import { type Chunk, decodeChunk, MAX_CHUNK_BYTES } from "../../src/protocol/mod.ts";
import { createBlankExchange } from "../helpers/exchange.ts";

interface Bench {
  readonly exchange: Exchange;
  readonly deps: OutletDeps;
  readonly outlet: Outlet;
  readonly credit: Credit;
  /** The text messages that were handed over. */
  readonly texts: readonly string[];
  readonly chunks: readonly Chunk[];
  /** Payload bytes, as they were counted. */
  readonly counted: () => number;
  /** From here on nobody wants the response. */
  unwant(): void;
  /** Lets the socket take what waits; called once, it takes everything from then on. */
  drain(): void;
}

function createBench({ windowBytes = Infinity, full = false, dialect = v1 } = {}): Bench {
  const texts: string[] = [];
  const chunks: Chunk[] = [];
  const drained = Promise.withResolvers<void>();
  let isFull = full;
  let limited = 0;

  function handOver(message: Message | undefined): void {
    if (typeof message === "string") texts.push(message);
    else if (message !== undefined) chunks.push(decodeChunk(message.slice().buffer));
  }
  const sendPart = (make: () => Message | undefined): void | Promise<void> =>
    isFull ? drained.promise.then(() => handOver(make())) : handOver(make());
  const socket: FrameSocket = {
    send: sendPart,
    sendPart,
    isWaiting: () => isFull,
    flushed: () => drained.promise,
    close: () => {},
    closed: () => {},
  };
  const credit = createCredit(windowBytes);
  const exchange: Exchange = {
    ...createBlankExchange({ stream: true }),
    credit,
  };
  const deps: OutletDeps = {
    answered: () => {},
    dialect,
    socket,
    limiter: {
      count: (_key, bytes) => void (limited += bytes),
      spend: (_key, bytes) => void (limited += bytes),
    },
    key: "k",
    creditIdleMs: 60_000,
    failed: (error) => Promise.reject(error),
  };
  return {
    exchange,
    deps,
    outlet: createOutlet(exchange, deps),
    credit,
    texts,
    chunks,
    counted(): number {
      assertEquals(limited, exchange.record.responseBytes);
      return limited;
    },
    unwant: () => void (exchange.cancelled = true),
    drain(): void {
      isFull = false;
      drained.resolve();
    },
  };
}

const HEAD = { status: 200, statusText: "OK", url: "http://x/", redirected: false, headers: [] };
const TIMING = { waitMs: 1, totalMs: 2 };
const random = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, at) => (at * 31 + (at >> 8)) % 251);
const sizes = (chunks: readonly Chunk[]): unknown[] =>
  chunks.map(({ payload, fin }) => fin ? [payload.byteLength, "fin"] : payload.byteLength);
const join = async (chunks: readonly Chunk[]): Promise<Uint8Array> =>
  new Uint8Array(await new Blob(chunks.map(({ payload }) => payload)).arrayBuffer());

const PIECES: readonly {
  name: string;
  pieces: [bytes: number, fin: boolean][];
  expected: unknown;
}[] = [
  { name: "a small piece", pieces: [[5, false]], expected: [5] },
  { name: "the last piece", pieces: [[5, false], [3, true]], expected: [5, [3, "fin"]] },
  { name: "an empty last piece", pieces: [[5, false], [0, true]], expected: [5, [0, "fin"]] },
  { name: "nothing of an empty piece that is not the last", pieces: [[0, false]], expected: [] },
  { name: "a full chunk", pieces: [[65_536, true]], expected: [[65_536, "fin"]] },
  { name: "a byte more", pieces: [[65_537, true]], expected: [65_536, [1, "fin"]] },
  {
    name: "a large piece, FIN with its end alone",
    pieces: [[200_000, true]],
    expected: [65_536, 65_536, 65_536, [3392, "fin"]],
  },
];

for (const { name, pieces, expected } of PIECES) {
  Deno.test(`bytes() sends ${name}, in chunks of at most 64 KiB`, async () => {
    const { outlet, chunks, counted } = createBench();
    for (const [length, fin] of pieces) await outlet.bytes(random(length), fin);
    assertEquals(sizes(chunks), expected);
    assertEquals(chunks.every(({ id }) => id === 7), true);
    assertEquals(counted(), pieces.reduce((sum, [length]) => sum + length, 0));
    const sent = pieces.map(([length]) => random(length));
    assertEquals(await join(chunks), new Uint8Array(await new Blob(sent).arrayBuffer()));
  });
}

Deno.test("bytes() sends no more than its credit, and goes on with a grant", async () => {
  const { outlet, credit, chunks } = createBench({ windowBytes: 10 });
  const sending = outlet.bytes(random(100_000), true);
  assertEquals(sizes(chunks), [10]);
  for (const bytes of [1, 70_000]) {
    credit.grant(bytes);
    await Promise.resolve().then(() => {}); // a take is answered in a microtask
  }
  credit.grant(1_000_000);
  await sending;
  assertEquals(sizes(chunks), [10, 1, 65_536, 4464, [29_989, "fin"]]);
  assertEquals(await join(chunks), random(100_000));
});

Deno.test("bytes() needs no credit for an empty last chunk", async () => {
  const { outlet, chunks } = createBench({ windowBytes: 3 });
  await outlet.bytes(random(3), false);
  await outlet.bytes(new Uint8Array(), true);
  assertEquals(sizes(chunks), [3, [0, "fin"]]);
});

Deno.test("bytes() keeps to any sequence of pieces and grants, byte for byte", async () => {
  const pieces = fc.array(fc.nat(200_000), { maxLength: 4 });
  const grants = fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(fc.nat(100_000), pieces, grants, async (windowBytes, lengths, grants) => {
      const { outlet, credit, chunks } = createBench({ windowBytes });
      const body = random(lengths.reduce((sum, length) => sum + length, 0));
      const sending = (async () => {
        let at = 0;
        for (const length of lengths) await outlet.bytes(body.slice(at, at += length), false);
        await outlet.bytes(new Uint8Array(), true);
      })();
      let granted = windowBytes;
      for (const bytes of [...grants, body.byteLength + 1]) {
        assert(chunks.reduce((sum, { payload }) => sum + payload.byteLength, 0) <= granted);
        credit.grant(bytes);
        granted += bytes;
        await Promise.resolve();
      }
      await sending;
      assert(chunks.every(({ payload }) => payload.byteLength <= MAX_CHUNK_BYTES));
      assertEquals(chunks.map(({ fin }) => fin).indexOf(true), chunks.length - 1);
      assertEquals(await join(chunks), body);
    }),
    { numRuns: 50 },
  );
});

Deno.test("bytes() ends when nobody wants the rest: with credit to come, or with a full socket", async () => {
  const waiting = createBench({ windowBytes: 0 });
  const sending = waiting.outlet.bytes(random(10), true);
  waiting.unwant();
  waiting.credit.close();
  await sending;
  const full = createBench({ full: true });
  const parts = Promise.all([full.outlet.bytes(random(100_000), true), full.outlet.end()]);
  full.unwant();
  full.drain();
  await parts;
  assertEquals([...waiting.chunks, ...full.chunks, ...full.texts], []);
});

Deno.test("an outlet sends nothing when nobody wants it", async () => {
  const { exchange, deps, outlet, texts, chunks, unwant } = createBench();
  unwant();
  await sendWhole(exchange, { response: { ...HEAD, body: random(3) }, timing: TIMING }, deps);
  await outlet.head(HEAD, TIMING);
  for (const fin of [false, true]) await outlet.bytes(random(3), fin);
  await outlet.bytes(new Uint8Array(), true);
  await outlet.event({ event: "message", data: "a" });
  await outlet.end();
  assertEquals([...texts, ...chunks], []);
});

Deno.test("sendWhole() and head() give up a frame that waits when nobody wants it any more", async () => {
  const { exchange, deps, outlet, texts, unwant, drain } = createBench({ full: true });
  const whole = sendWhole(exchange, { response: { ...HEAD, body: null }, timing: TIMING }, deps);
  const sending = Promise.all([whole, outlet.head(HEAD, TIMING)]);
  unwant();
  drain();
  await sending;
  assertEquals(texts, []);
});

Deno.test("sendWhole() sends a response frame, and counts its body", async () => {
  const { exchange, deps, texts, counted } = createBench();
  const response = { ...HEAD, body: new TextEncoder().encode("[1]") };
  const whole = { response, timing: TIMING, asBytes: true, requestId: "c-1" };
  assertEquals(await sendWhole(exchange, whole, deps), undefined);
  assertEquals([texts, counted()], [[v1.encodeResponse(7, whole)], 3]);
});

Deno.test("head(), event() and end() send the frames of a stream", async () => {
  const { outlet, texts } = createBench();
  await outlet.head(HEAD, TIMING);
  await outlet.event({ event: "x", data: "a", lastEventId: "1", retryMs: 5 });
  await outlet.end();
  const [head, event, end] = texts.map((text) => JSON.parse(text));
  assertEquals([head.type, head.id, head.stream], ["response", 7, true]);
  assertEquals(head.requestId, "c-1");
  assertEquals(event, {
    type: "event",
    id: 7,
    event: "x",
    data: "a",
    lastEventId: "1",
    retryMs: 5,
  });
  assertEquals(end, { type: "end", id: 7 });
});

const SIZES = [
  { name: "its data", event: { event: "message", data: "aé" }, expected: 3 },
  { name: "a line", event: { event: "line", data: "aé" }, expected: 3 },
  { name: "the type that it names", event: { event: "tück", data: "" }, expected: 5 },
  { name: "its last id", event: { event: "message", data: "a", lastEventId: "é" }, expected: 3 },
] as const;

for (const { name, event, expected } of SIZES) {
  Deno.test(`event() counts the bytes of ${name}`, async () => {
    const { outlet, counted } = createBench();
    await outlet.event(event);
    assertEquals(counted(), expected);
  });
}

Deno.test("an outlet of a dialect that does not stream sends no head and no parts", async () => {
  const { outlet, texts, chunks } = createBench({ dialect: plain });
  await outlet.head(HEAD, TIMING);
  await outlet.bytes(random(3), true);
  await outlet.end();
  assertEquals([...texts, ...chunks], []);
});
