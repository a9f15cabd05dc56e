import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { v1 } from "../../src/dialect/v1.ts";
import type { StreamEvent } from "../../src/exchange/events.ts";
import {
  type Chunk,
  decodeChunk,
  type HttpResponse,
  MAX_CHUNK_BYTES,
  ProxyError,
  type ProxyRequest,
} from "../../src/protocol/mod.ts";
import { LongWork } from "../../src/turns/long_work.ts";
import { Turns } from "../../src/turns/turns.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import {
  createOutletBench,
  EMPTY,
  type OutletBench,
  type OutletBenchOptions,
  TIMING,
} from "../helpers/connection.ts";
import { createBlankExchange, createFakeLimiter, settle } from "../helpers/exchange.ts";

interface Bench extends OutletBench {
  texts(): readonly string[];
  chunks(): readonly Chunk[];
  /** Payload bytes, as the limiter and the record have counted them. */
  counted(): number;
  /** Fills the send buffer. */
  fill(): void;
  /** Empties the send buffer, and lets the socket see that. */
  drain(): Promise<void>;
}

function createBench(
  { request = {}, limiter, ...options }: OutletBenchOptions & {
    readonly request?: Partial<ProxyRequest>;
  } = {},
): Bench {
  let limited = 0;
  const count = (key: string, bytes: number): void => {
    assertEquals(key, "k");
    limited += bytes;
  };
  const exchange = createBlankExchange({ stream: true, ...request });
  const bench = createOutletBench(exchange, {
    limiter: limiter ?? createFakeLimiter({ count, spend: count }),
    ...options,
  });
  const { webSocket, clock } = bench;
  return {
    ...bench,
    texts: () => webSocket.messages.filter((message) => typeof message === "string"),
    chunks: () =>
      webSocket.messages.filter((message) => typeof message !== "string")
        .map(({ buffer }) => decodeChunk(buffer)),
    counted(): number {
      assertEquals(limited, exchange.record.responseBytes);
      return limited;
    },
    fill: () => void (webSocket.buffered = 2),
    async drain(): Promise<void> {
      webSocket.buffered = 0;
      clock.advance(1);
      clock.turn();
      await settle();
    },
  };
}

const { body: _none, ...HEAD } = EMPTY;
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
    assertEquals(sizes(chunks()), expected);
    assertEquals(chunks().every(({ id }) => id === 7), true);
    assertEquals(counted(), pieces.reduce((sum, [length]) => sum + length, 0));
    const sent = pieces.map(([length]) => random(length));
    assertEquals(await join(chunks()), new Uint8Array(await new Blob(sent).arrayBuffer()));
  });
}

Deno.test("bytes() sends no more than its credit, and goes on with a grant", async () => {
  const { outlet, chunks } = createBench({ request: { windowBytes: 10 } });
  const sending = outlet.bytes(random(100_000), true);
  assertEquals(sizes(chunks()), [10]);
  for (const bytes of [1, 70_000]) {
    outlet.grant(bytes);
    await settle();
  }
  outlet.grant(1_000_000);
  await sending;
  assertEquals(sizes(chunks()), [10, 1, 65_536, 4464, [29_989, "fin"]]);
  assertEquals(await join(chunks()), random(100_000));
});

Deno.test("bytes() needs no credit for an empty last chunk", async () => {
  const { outlet, chunks } = createBench({ request: { windowBytes: 3 } });
  await outlet.bytes(random(3), false);
  await outlet.bytes(new Uint8Array(), true);
  assertEquals(sizes(chunks()), [3, [0, "fin"]]);
});

Deno.test("bytes() needs no credit where the request starts with none, and ignores grants", async () => {
  const { outlet, chunks } = createBench();
  outlet.grant(1);
  await outlet.bytes(random(70_000), true);
  assertEquals(sizes(chunks()), [65_536, [4464, "fin"]]);
});

Deno.test("bytes() keeps to any sequence of pieces and grants, byte for byte", async () => {
  const pieces = fc.array(fc.nat(200_000), { maxLength: 4 });
  const grants = fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(fc.nat(100_000), pieces, grants, async (windowBytes, lengths, grants) => {
      const { outlet, chunks } = createBench({ request: { windowBytes } });
      const body = random(lengths.reduce((sum, length) => sum + length, 0));
      const sending = (async () => {
        let at = 0;
        for (const length of lengths) await outlet.bytes(body.slice(at, at += length), false);
        await outlet.bytes(new Uint8Array(), true);
      })();
      let granted = windowBytes;
      for (const bytes of [...grants, body.byteLength + 1]) {
        assert(chunks().reduce((sum, { payload }) => sum + payload.byteLength, 0) <= granted);
        outlet.grant(bytes);
        granted += bytes;
        await Promise.resolve();
      }
      await sending;
      assert(chunks().every(({ payload }) => payload.byteLength <= MAX_CHUNK_BYTES));
      assertEquals(chunks().map(({ fin }) => fin).indexOf(true), chunks().length - 1);
      assertEquals(await join(chunks()), body);
    }),
    { numRuns: 50 },
  );
});

Deno.test("bytes() ends once the exchange is cancelled: while it waits for credit, or for the socket", async () => {
  const waiting = createBench({ request: { windowBytes: 0 } });
  const sending = waiting.outlet.bytes(random(10), true);
  waiting.outlet.cancel();
  await sending;
  const full = createBench();
  full.fill();
  const parts = Promise.all([full.outlet.bytes(random(100_000), true), full.outlet.end()]);
  full.outlet.cancel();
  await full.drain();
  await parts;
  assertEquals([...waiting.webSocket.messages, ...full.webSocket.messages], []);
});

Deno.test("bytes() throws flow_control_error when no credit is granted for too long", async () => {
  const { exchange, outlet, clock, chunks } = createBench({ request: { windowBytes: 3 } });
  exchange.stage = "stream";
  const sending = Promise.resolve(outlet.bytes(random(5), false));
  clock.advance(4999);
  outlet.grant(1); // which starts the time anew
  await settle();
  clock.advance(4999);
  assertEquals(exchange.signal.aborted, false);
  clock.advance(1);
  const error = await assertRejects(() => sending, ProxyError);
  assertStrictEquals(exchange.signal.reason, error);
  assertEquals([error.code, error.sent, error.retryable], ["flow_control_error", "yes", false]);
  assertEquals(error.message, "The client granted no credit within 5000 ms");
  assertEquals([sizes(chunks()), clock.delays], [[3, 1], []]);
});

Deno.test("bytes() throws the reason of an exchange that fails while it waits for credit", async () => {
  const { exchange, outlet, clock, chunks } = createBench({ request: { windowBytes: 0 } });
  const sending = Promise.resolve(outlet.bytes(random(5), true));
  const reason = new ProxyError("draining", "The server went away");
  outlet.abort(reason);
  assertStrictEquals(await assertRejects(() => sending), exchange.signal.reason);
  outlet.grant(100);
  await settle();
  assertEquals([sizes(chunks()), clock.delays], [[], []], "nothing is sent that looks whole");
});

Deno.test("bytes() leaves no timer once it has its credit", async () => {
  const { exchange, outlet, clock } = createBench({ request: { windowBytes: 0 } });
  const sending = outlet.bytes(random(1), true);
  assertEquals(clock.delays, [5000]);
  outlet.grant(1);
  await sending;
  clock.advance(10_000);
  assertEquals([clock.delays, exchange.signal.aborted], [[], false]);
});

Deno.test("bytes() waits for its limit before it sends a chunk, and counts it then", async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const asked: unknown[] = [];
  const limiter = createFakeLimiter({
    spend(key, bytes, signal): Promise<void> {
      asked.push([key, bytes, signal?.aborted]);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    },
  });
  const { exchange, outlet, chunks } = createBench({ limiter });
  const sending = outlet.bytes(random(65_540), true);
  assertEquals([asked, chunks().length, exchange.record.responseBytes], [
    [["k", 65_536, false]],
    0,
    0,
  ]);
  gates[0]?.resolve();
  await settle();
  assertEquals([sizes(chunks()), exchange.record.responseBytes], [[65_536], 65_536]);
  gates[1]?.resolve();
  await sending;
  assertEquals([sizes(chunks()), exchange.record.responseBytes], [[65_536, [4, "fin"]], 65_540]);
});

Deno.test("an outlet throws what keeps its limiter from counting a part", async () => {
  const reason = new Error("The store is gone");
  const limiter = createFakeLimiter({ spend: () => Promise.reject(reason) });
  const { outlet, webSocket } = createBench({ limiter });
  assertStrictEquals(
    await assertRejects(() => Promise.resolve(outlet.bytes(random(1), true))),
    reason,
  );
  const sending = Promise.resolve(outlet.event({ event: "x", data: "a" }));
  assertStrictEquals(await assertRejects(() => sending), reason);
  assertEquals(webSocket.messages, []);
});

Deno.test("an outlet sends nothing once its exchange is cancelled", async () => {
  const { outlet, webSocket } = createBench();
  outlet.cancel();
  await outlet.whole({ ...EMPTY, body: random(3) }, TIMING);
  await outlet.head(HEAD, TIMING);
  for (const fin of [false, true]) await outlet.bytes(random(3), fin);
  await outlet.bytes(new Uint8Array(), true);
  await outlet.event({ event: "message", data: "a" });
  await outlet.end();
  await outlet.fail(new ProxyError("draining", ""));
  assertEquals(webSocket.messages, []);
});

Deno.test("an outlet drops the frames that wait when its exchange is cancelled", async () => {
  const { outlet, webSocket, fill, drain } = createBench();
  fill();
  const sending = Promise.all([
    outlet.whole({ ...EMPTY, body: null }, TIMING),
    outlet.head(HEAD, TIMING),
    outlet.fail(new ProxyError("draining", "")),
  ]);
  outlet.cancel();
  await drain();
  await sending;
  assertEquals(webSocket.messages, []);
});

Deno.test("ready() waits for a client that does not read, and sends nothing", async () => {
  const { outlet, webSocket, fill, drain } = createBench();
  assertEquals(outlet.ready(), undefined);
  fill();
  let isReady = false;
  const ready = Promise.resolve(outlet.ready()).then(() => isReady = true);
  await settle();
  assertEquals(isReady, false);
  await drain();
  await ready;
  assertEquals(webSocket.messages, []);
});

Deno.test("whole() sends a response frame at once, and counts its body", () => {
  for (const stream of [true, false, "events"] as const) {
    const { outlet, texts, counted } = createBench({ request: { stream } });
    const headers = [["content-type", "application/json"]] as const;
    const response = { ...EMPTY, headers, body: new TextEncoder().encode("[1]") };
    assertEquals(outlet.whole(response, TIMING), undefined);
    const whole = { response, timing: TIMING, asBytes: stream === true, requestId: "c-1" };
    assertEquals([texts(), counted()], [[v1.encodeResponse(7, whole)], 3]);
    assertEquals(texts()[0]?.includes('"json":[1]'), stream !== true);
    outlet.whole(EMPTY, TIMING);
    assertEquals(counted(), 3);
  }
});

/** A body whose frame is made in steps, of JSON or of another type. */
const LONG_BODY = new TextEncoder().encode(JSON.stringify(["x".repeat(3 * 196_608)]));

function longResponse(type: string): HttpResponse {
  return { ...EMPTY, headers: [["content-type", type]], body: LONG_BODY };
}

/** Lets the event loop turn until nothing more is to be done. Returns how often it turned. */
async function turnOver(clock: FakeClock): Promise<number> {
  for (let turns = 0;; turns++) {
    await settle();
    if (clock.turn() === 0) return turns;
  }
}

Deno.test("whole() makes the frame of a long body in turns of the event loop", async () => {
  for (
    const [type, stream] of [["application/json", false], ["text/plain", false], [
      "application/json",
      true,
    ]] as const
  ) {
    const { outlet, clock, texts, counted } = createBench({ request: { stream } });
    const response = longResponse(type);
    const sending = outlet.whole(response, TIMING);
    await settle();
    assertEquals([texts(), counted()], [[], LONG_BODY.length]);
    assert(await turnOver(clock) >= 1);
    await sending;
    const whole = { response, timing: TIMING, asBytes: stream, requestId: "c-1" };
    assertEquals(texts(), [v1.encodeResponse(7, whole)]);
  }
});

Deno.test("whole() makes no frame of a long body for a client that does not read", async () => {
  let begun = 0;
  const clock = createFakeClock();
  const longWork = new LongWork(
    new Turns({ ...clock, soon: (action) => (begun++, clock.soon(action)) }),
  );
  const { outlet, fill, drain, texts } = createBench({ longWork });
  fill();
  outlet.whole(longResponse("text/plain"), TIMING);
  await settle();
  assertEquals([begun, texts().length], [0, 0]);
  await drain();
  await settle();
  assertEquals(begun, 1);
  await turnOver(clock);
});

Deno.test("whole() sends nothing when the exchange is cancelled while its frame is made, or while that waits", async () => {
  for (const isMade of [false, true]) {
    let time = 0;
    const clock = createFakeClock();
    // Each step takes so long that no other follows in its turn, and then rests for a turn.
    const after: typeof clock.after = (_delayMs, action) => clock.soon(action);
    const longWork = new LongWork(new Turns({ ...clock, now: () => time += 3, after }));
    const { outlet, texts, fill, drain } = createBench({ request: { stream: false }, longWork });
    const sending = Promise.resolve(outlet.whole(longResponse("text/plain"), TIMING));
    sending.catch(() => {}); // rejects when it is cancelled
    await settle();
    assertEquals(clock.turn(), 1);
    await settle();
    fill();
    if (isMade) await turnOver(clock);
    outlet.cancel();
    await turnOver(clock);
    await drain();
    await Promise.allSettled([sending]);
    assertEquals(texts().length, 0);
  }
});

Deno.test("whole() fails with the error that ends the exchange while its frame is made", async () => {
  const { outlet, clock, texts } = createBench({ request: { stream: false } });
  const error = new ProxyError("draining", "The service ends");
  const failing = assertRejects(
    async () => await outlet.whole(longResponse("text/plain"), TIMING),
    ProxyError,
    "The service ends",
  );
  await settle();
  outlet.abort(error);
  await turnOver(clock);
  await failing;
  assertEquals(texts(), []);
});

Deno.test("whole() does not wait for its limit, and logs what keeps it from counting", async () => {
  const reason = new Error("The store is gone");
  const limiter = createFakeLimiter({ count: () => Promise.reject(reason) });
  const { outlet, texts, telemetry } = createBench({ limiter });
  assertEquals(outlet.whole(EMPTY, TIMING), undefined);
  assertEquals(texts().length, 1);
  await settle();
  assertEquals(telemetry.events, [{ type: "failed", connection: "c", error: reason }]);
});

Deno.test("whole() sends a frame of the exchange's own id, whatever that is", () => {
  for (const [id, streams] of [[undefined, false], ['"a name"', false], [0, true]] as const) {
    const { outlet, frames } = createBench({ id, streams });
    outlet.whole(EMPTY, TIMING);
    assertEquals(frames().map((frame) => frame.id), [id === '"a name"' ? "a name" : id]);
  }
});

Deno.test("head(), event() and end() send the frames of a stream", async () => {
  const { outlet, frames } = createBench();
  await outlet.head(HEAD, TIMING);
  await outlet.event({ event: "x", data: "a", lastEventId: "1", retryMs: 5 });
  await outlet.end();
  const [head, event, end] = frames();
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

Deno.test("fail() sends an error frame, also after the exchange was aborted", () => {
  const { outlet, frames } = createBench();
  const error = new ProxyError("draining", "The server went away");
  outlet.abort(error);
  assertEquals(outlet.fail(error), undefined);
  const [{ type, id, code, requestId }] = frames();
  assertEquals([type, id, code, requestId], ["error", 7, "draining", "c-1"]);
});

Deno.test("ready() and head() do not make parts wait, and a whole response does", () => {
  for (const [method, expected] of [["ready", 4], ["head", 4], ["whole", 1]] as const) {
    const { outlet, chunks } = createBench();
    if (method === "ready") outlet.ready();
    else if (method === "head") outlet.head(HEAD, TIMING);
    else outlet.whole(EMPTY, TIMING);
    outlet.bytes(random(200_000), true);
    assertEquals(chunks().length, expected);
  }
});

Deno.test("bytes() waits until a chunk was taken before it takes the credit of the next", async () => {
  const { exchange, outlet, chunks, fill, drain } = createBench();
  fill();
  const sending = outlet.bytes(random(70_000), true);
  await settle();
  assertEquals([exchange.record.responseBytes, chunks().length], [65_536, 0]);
  await drain();
  await sending;
  assertEquals([exchange.record.responseBytes, sizes(chunks())], [70_000, [65_536, [4464, "fin"]]]);
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

Deno.test("event() reads a long text when its frame can be sent, and not to count it", async () => {
  const { outlet, texts, counted, fill, drain } = createBench();
  let reads = 0;
  const event = {
    event: "line",
    dataBytes: new Uint8Array(5),
    get data(): string {
      reads++;
      return "aé漢"; // of 6 bytes
    },
  };
  fill();
  const sending = outlet.event(event);
  assertEquals([reads, counted()], [0, 5]);
  await drain();
  await sending;
  assertEquals(reads, 1);
  assertEquals(texts().map((text) => JSON.parse(text)), [
    { type: "event", id: 7, event: "line", data: "aé漢" },
  ]);
});

/** A long event as the parser returns it; its text must not be read at once. */
function longEvent(): StreamEvent {
  return {
    event: "line",
    dataBytes: LONG_BODY,
    get data(): string {
      throw new Error("The text was read");
    },
  };
}

Deno.test("event() makes the frame of a long text in turns of the event loop", async () => {
  const { outlet, clock, texts, counted } = createBench();
  const sending = outlet.event(longEvent());
  await settle();
  assertEquals([texts(), counted()], [[], LONG_BODY.length]);
  assert(await turnOver(clock) >= 1);
  await sending;
  const data = new TextDecoder().decode(LONG_BODY);
  assertEquals(texts().map((text) => JSON.parse(text)), [
    { type: "event", id: 7, event: "line", data },
  ]);
});

Deno.test("event() sends nothing when the exchange ends while the frame of a long text is made", async () => {
  for (const error of [undefined, new ProxyError("draining", "The service ends")]) {
    const { outlet, clock, texts } = createBench();
    const sending = Promise.resolve(outlet.event(longEvent()));
    const failing = error && assertRejects(() => sending, ProxyError, "The service ends");
    await settle();
    if (error === undefined) outlet.cancel();
    else outlet.abort(error);
    await turnOver(clock);
    await (failing ?? sending);
    assertEquals(texts(), []);
  }
});

Deno.test("event() waits for its limit", async () => {
  const gate = Promise.withResolvers<void>();
  const { outlet, texts } = createBench({
    limiter: createFakeLimiter({ spend: () => gate.promise }),
  });
  const sending = outlet.event({ event: "x", data: "a" });
  await settle();
  assertEquals(texts(), []);
  gate.resolve();
  await sending;
  assertEquals(texts().length, 1);
});

Deno.test("an outlet of a dialect that does not stream sends no head and no parts", async () => {
  const { outlet, webSocket } = createBench({ streams: false });
  await outlet.head(HEAD, TIMING);
  await outlet.bytes(random(3), true);
  await outlet.end();
  assertEquals(webSocket.messages, []);
});

const chunk = (length: number, fin = false): Chunk => ({ id: 7, fin, payload: random(length) });

Deno.test("an outlet gives its exchange an upload when the body follows, and else none", async () => {
  assertEquals(createBench().exchange.upload, undefined);
  const { exchange, outlet, frames } = createBench({ request: { bodyFollows: true } });
  outlet.takeChunk(chunk(6));
  outlet.takeChunk(chunk(2, true));
  assertEquals(exchange.record.requestBytes, 8);
  assertEquals(frames(), []);
  const chunks = await Array.fromAsync(exchange.upload ?? [], ({ byteLength }) => byteLength);
  assertEquals(chunks.reduce((sum, bytes) => sum + bytes, 0), 8);
});

Deno.test("an outlet grants the client more as its upload is read, until the exchange is cancelled", async () => {
  for (const isCancelled of [false, true]) {
    const { exchange, outlet, frames } = createBench({ request: { bodyFollows: true } });
    const reader = exchange.upload?.getReader();
    outlet.takeChunk(chunk(5));
    if (isCancelled) exchange.cancel();
    assertEquals((await reader?.read())?.value?.byteLength, 5);
    assertEquals(frames(), isCancelled ? [] : [{ type: "grant", id: 7, bytes: 5 }]);
  }
});

Deno.test("an outlet tells its exchange what was taken of the upload", async () => {
  const { exchange, outlet } = createBench({ request: { bodyFollows: true } });
  let taken = 0;
  exchange.uploadTaken = () => void taken++;
  outlet.takeChunk(chunk(1));
  assertEquals(taken, 0);
  await exchange.upload?.getReader().read();
  assertEquals(taken, 1);
});

Deno.test("takeChunk() fails an exchange whose body does not follow, or is larger than it may be", () => {
  const none = createBench();
  none.outlet.takeChunk(chunk(0, true));
  const { code, message } = none.exchange.signal.reason;
  assertEquals([code, message], [
    "flow_control_error",
    "A chunk arrived for a request without bodyFollows",
  ]);
  const large = createBench({ request: { bodyFollows: true }, maxStreamBytes: 4 });
  large.outlet.takeChunk(chunk(5));
  assertEquals(large.exchange.signal.reason.code, "request_too_large");
  assertEquals([none, large].map(({ exchange }) => exchange.isCancelled), [false, false]);
});

Deno.test("close() breaks the upload off, and leaves the exchange alone", async () => {
  const { exchange, outlet } = createBench({ request: { bodyFollows: true } });
  outlet.close();
  await assertRejects(async () => await exchange.upload?.getReader().read(), TypeError);
  assertEquals(exchange.signal.aborted, false);
  createBench().outlet.close();
});

for (const end of ["cancel", "abort"] as const) {
  Deno.test(`${end}() breaks the upload off`, async () => {
    const { exchange, outlet } = createBench({ request: { bodyFollows: true } });
    const reading = exchange.upload?.getReader().read();
    if (end === "cancel") outlet.cancel();
    else outlet.abort(new ProxyError("draining", ""));
    await assertRejects(async () => await reading, TypeError);
    assertEquals([exchange.signal.aborted, exchange.isCancelled], [true, end === "cancel"]);
  });
}

Deno.test("abort() ends a long response that waits for a client which does not read: its memory is needed", async () => {
  const { outlet, webSocket } = createBench({ request: { stream: false } });
  webSocket.buffered = 2;
  let hasEnded = false;
  const sending = Promise.resolve(
    outlet.whole({ ...EMPTY, body: new Uint8Array(100_000) }, TIMING),
  );
  sending.catch(() => {}).finally(() => hasEnded = true);
  await settle();
  outlet.abort(new ProxyError("proxy_overloaded", "The service is short of memory"));
  await settle();
  assertEquals(hasEnded, true);
});
