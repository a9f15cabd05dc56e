import { assert, assertEquals } from "@std/assert";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { connect, connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, startHttp } from "../helpers/upstream.ts";

const TWO = { ...LOOPBACK, AUTH_TOKENS: "alice:alice-token,bob:bob-token" };

interface Greeted extends TestClient {
  readonly hello: Frame;
}

/** Connects as one of {@linkcode TWO}, and takes `hello`. */
async function connectAs(name: string, { url }: Service): Promise<Greeted> {
  const token = new TextEncoder().encode(`${name}-token`)
    .toBase64({ alphabet: "base64url", omitPadding: true });
  const client = await connect(url, ["wsfetch.v1", `bearer.${token}`]);
  return Object.assign(client, { hello: await client.next() });
}

function tokenOf(name: string): { authorization: string } {
  return { authorization: `Bearer ${name}-token` };
}

/** The status of a handshake, whose connection ends at once. */
async function handshake(
  { port }: Service,
  headers: Record<string, string>,
): Promise<string> {
  using client = await connectRaw(port, headers);
  return client.answer.slice("HTTP/1.1 ".length).slice(0, 3);
}

/** Fulfils when so many connections have ended. */
function disconnected(service: Service, count = 1): Promise<unknown> {
  return service.logged(
    "disconnected",
    () => service.log.filter(({ event }) => event === "disconnected").length >= count,
  );
}

/** Sends so many requests at once; gives the status or the error's code of each, in the order sent. */
async function burst(client: TestClient, url: string, count: number): Promise<unknown[]> {
  for (let id = 1; id <= count; id++) client.send({ type: "request", id, url });
  const frames = (await client.take(count)).toSorted((a, b) => a.id - b.id);
  assertEquals(frames.map(({ id }) => id), Array.from({ length: count }, (_, i) => i + 1));
  return frames.map(({ status, code }) => status ?? code);
}

function assertRateLimited(frame: Frame, message: RegExp, maxRetryMs: number): void {
  const { code, sent, retryable, retryAfterMs } = frame;
  assertEquals([code, sent, retryable], ["rate_limited", "no", true], JSON.stringify(frame));
  assert(message.test(frame.message), frame.message);
  assert(Number.isInteger(retryAfterMs) && retryAfterMs >= 1 && retryAfterMs <= maxRetryMs);
}

Deno.test("one connection too many of an identity is refused before the upgrade, and no other's", async () => {
  await using service = startService({ ...TWO, LIMIT_CONNECTIONS: "2" });
  await using _first = await connectAs("alice", service);
  await using _second = await connectAs("alice", service);
  using third = await connectRaw(service.port, tokenOf("alice"));
  assert(third.answer.startsWith("HTTP/1.1 429 "), third.answer);
  assert(/^retry-after: 1\r$/im.test(third.answer), third.answer);
  assert(third.answer.includes('{"error":{"code":"rate_limited","message":"'), third.answer);
  const { client, status, code } = await service.logged("refused");
  assertEquals([client, status, code], ["127.0.0.1", 429, "rate_limited"]);
  await using bob = await connectAs("bob", service);
  assertEquals(bob.hello.identity, "bob");
  assert(!JSON.stringify(service.log).includes("alice-token"));
});

/** How a client leaves; what it keeps open goes on the stack. */
const DEPARTURES: Record<string, (service: Service, stack: DisposableStack) => Promise<void>> = {
  async "a normal close"(service): Promise<void> {
    await using _client = await connectAs("alice", service);
    assertEquals(await handshake(service, tokenOf("alice")), "429");
  },
  async "a client that vanishes"(service): Promise<void> {
    using _client = await connectRaw(service.port, tokenOf("alice"));
    assertEquals(await handshake(service, tokenOf("alice")), "429");
  },
  async "a client that never answers the close"({ port, logged }, stack): Promise<void> {
    const client = stack.use(await connectRaw(port, tokenOf("alice")));
    for (let i = 0; i < 16; i++) await client.write(rawFrame(TEXT, "junk"));
    const { code, closedBy } = await logged("disconnected");
    assertEquals([code, closedBy], [4500, "server"]);
    await client.readToEnd();
  },
};

for (const [name, leave] of Object.entries(DEPARTURES)) {
  Deno.test(`the place of a connection is given back after ${name}`, async () => {
    await using service = startService({ ...TWO, LIMIT_CONNECTIONS: "1" });
    using stack = new DisposableStack();
    await leave(service, stack);
    await disconnected(service);
    // The place is free once the service, too, has seen the end of TCP.
    while (await handshake(service, tokenOf("alice")) === "429");
    await using _again = await connectAs("alice", service);
    assertEquals(await handshake(service, tokenOf("alice")), "429");
  });
}

Deno.test("a refused upgrade holds no place", async () => {
  await using service = startService({ ...TWO, LIMIT_CONNECTIONS: "1" });
  const refused: [string, Record<string, string>][] = [
    ["400", { ...tokenOf("alice"), "sec-websocket-protocol": "unknown" }],
    ["403", { ...tokenOf("alice"), origin: "https://evil.example" }],
    ["426", { ...tokenOf("alice"), "sec-websocket-version": "8" }],
    ["401", { authorization: "Bearer of-nobody" }],
    ["401", {}],
  ];
  for (const [status, headers] of [...refused, ...refused]) {
    assertEquals(await handshake(service, headers), status);
  }
  await using _client = await connectAs("alice", service);
});

interface ForwardedCase {
  readonly name: string;
  readonly trustProxy: string;
  readonly first: string;
  /** What the log calls the first. */
  readonly client: string;
  /** Counts as the first. */
  readonly same: string;
  /** Counts for itself. */
  readonly other?: string;
}

const FORWARDED: readonly ForwardedCase[] = [
  {
    name: "the socket's without a proxy, whatever X-Forwarded-For says",
    trustProxy: "0",
    first: "203.0.113.1",
    client: "127.0.0.1",
    same: "203.0.113.2",
  },
  {
    name: "the last of X-Forwarded-For behind one proxy",
    trustProxy: "1",
    first: "203.0.113.1",
    client: "203.0.113.1",
    same: "198.51.100.7, 203.0.113.1",
    other: "203.0.113.1, 203.0.113.2",
  },
  {
    name: "the last but one of X-Forwarded-For behind two proxies",
    trustProxy: "2",
    first: "203.0.113.1, 10.0.0.1",
    client: "203.0.113.1",
    same: "198.51.100.7, 203.0.113.1, 10.0.0.2",
    other: "203.0.113.1, 203.0.113.2, 10.0.0.1",
  },
  {
    name: "a network of 64 bits in IPv6",
    trustProxy: "1",
    first: "2001:db8::1",
    client: "2001:db8::1",
    same: "2001:db8::ffff:2",
    other: "2001:db8:0:1::1",
  },
  {
    name: "one, in IPv6 and in IPv4",
    trustProxy: "1",
    first: "203.0.113.1",
    client: "203.0.113.1",
    same: "::ffff:203.0.113.1",
    other: "::ffff:203.0.113.2",
  },
];

for (const { name, trustProxy, first, client, same, other } of FORWARDED) {
  Deno.test(`where nobody is authenticated the address counts: ${name}`, async () => {
    const settings = { ...LOOPBACK, LIMIT_CONNECTIONS: "1", TRUST_PROXY: trustProxy };
    await using service = startService(settings);
    using raw = await connectRaw(service.port, { "x-forwarded-for": first });
    assert(raw.answer.startsWith("HTTP/1.1 101 "), raw.answer);
    assertEquals((await service.logged("connected")).client, client);
    assertEquals(await handshake(service, { "x-forwarded-for": same }), "429");
    const refused = await service.logged("refused");
    assertEquals(
      refused.client,
      trustProxy === "0" ? client : same.split(", ").at(-Number(trustProxy)),
    );
    if (other === undefined) return;
    assertEquals(await handshake(service, { "x-forwarded-for": other }), "101");
  });
}

Deno.test("an address counts once for its handshakes and its requests, over its connections", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  await using service = startService({ ...LOOPBACK, LIMIT_REQUESTS_PER_SECOND: "2" });
  await using first = await connectV1(service.url);
  await using second = await connectV1(service.url);
  assertEquals(await burst(first, upstream.origin, 2), [200, 200]);
  assertEquals(await burst(second, upstream.origin, 1), ["rate_limited"]);
});

Deno.test("requests beyond the rate are rate_limited, and pass after the time they are told", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  const settings = { ...TWO, LIMIT_REQUESTS_PER_SECOND: "3", LIMIT_IN_FLIGHT: "3" };
  await using service = startService(settings);
  await using client = await connectAs("alice", service);
  const request = { type: "request", id: 1, url: upstream.origin };
  for (let i = 0; i < 3; i++) assertEquals((await client.ask(request)).status, 200);
  for (let i = 0; i < 5; i++) {
    assertRateLimited(await client.ask(request), /per second is 3/, 1000); // and hold no place
  }
  assertEquals(upstream.requests.length, 3);
  await using bob = await connectAs("bob", service);
  assertEquals((await bob.ask(request)).status, 200);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
  const { retryAfterMs } = await client.ask(request);
  await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
  assertEquals(await burst(client, upstream.origin, 4), [200, 200, 200, "rate_limited"]);
});

Deno.test("a burst passes beyond the rate, once", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  const settings = { ...TWO, LIMIT_REQUESTS_PER_SECOND: "2", LIMIT_REQUEST_BURST: "3" };
  await using service = startService(settings);
  await using client = await connectAs("alice", service);
  assertEquals(
    await burst(client, upstream.origin, 7),
    [200, 200, 200, 200, 200, "rate_limited", "rate_limited"],
  );
  const request = { type: "request", id: 1, url: upstream.origin };
  assertRateLimited(await client.ask(request), /per second is 2/, 1000);
});

Deno.test("requests of one identity in flight count over its connections, and no other's", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(() => gate.promise.then(() => new Response("ok")));
  await using service = startService({ ...TWO, LIMIT_IN_FLIGHT: "2" });
  await using first = await connectAs("alice", service);
  await using second = await connectAs("alice", service);
  await using bob = await connectAs("bob", service);
  const request = { type: "request", id: 1, url: upstream.origin };
  first.send(request);
  await service.logged("decided");
  second.send(request);
  const { connection } = second.hello;
  await service.logged("decided", (line) => line.connection === connection);
  assertRateLimited(await second.ask({ ...request, id: 2 }), /in flight is 2/, 1000);
  bob.send(request);
  gate.resolve();
  for (const client of [first, second, bob]) assertEquals((await client.next()).status, 200);
});

interface Held {
  readonly client: TestClient;
  readonly upstream: HttpUpstream;
  /** Lets the destination go on. */
  readonly open: () => void;
}

/** Requests of id 1 that stay in flight, and how each ends. */
const ENDS: Record<
  string,
  { request: object; begun?: (held: Held) => unknown; end: (held: Held) => unknown }
> = {
  "a response": {
    request: { path: "/held" },
    async end({ client, open }): Promise<void> {
      open();
      assertEquals((await client.next()).text, "held");
    },
  },
  "an error": {
    request: { path: "/held" },
    async end({ client }): Promise<void> {
      assertEquals((await client.ask(toChunk("unasked", true))).code, "flow_control_error");
    },
  },
  "a cancel": {
    request: { path: "/held" },
    end: ({ client }) => client.send({ type: "cancel", id: 1 }),
  },
  "its client has left": {
    request: { path: "/held" },
    end: ({ client }) => client.webSocket.close(),
  },
  "an upload": {
    request: { path: "/upload", method: "POST", bodyFollows: true },
    begun: ({ client }) => client.send(toChunk("up", false)),
    async end({ client }): Promise<void> {
      client.send(toChunk("loaded", true));
      assertEquals((await client.next()).text, "uploaded");
    },
  },
  "the cancel of an upload": {
    request: { path: "/upload", method: "POST", bodyFollows: true },
    begun: ({ client }) => client.send(toChunk("up", false)),
    end: ({ client }) => client.send({ type: "cancel", id: 1 }),
  },
  "a stream": {
    request: { path: "/stream", stream: true },
    async end({ client, open }): Promise<void> {
      assertEquals((await client.next()).stream, true);
      open();
      while (!(await client.next()).fin);
    },
  },
  "the cancel of a stream": {
    request: { path: "/stream", stream: true },
    async end({ client }): Promise<void> {
      assertEquals((await client.next()).stream, true);
      client.send({ type: "cancel", id: 1 });
    },
  },
  "a stream without credit": {
    request: { path: "/stream", stream: true, windowBytes: 1 },
    async end({ client }): Promise<void> {
      const [head, { payload }] = await client.take(2);
      assertEquals([head.stream, payload.byteLength], [true, 1]);
      client.send({ type: "cancel", id: 1 });
    },
  },
};

function toChunk(text: string, fin: boolean): Uint8Array<ArrayBuffer> {
  return encodeChunk({ id: 1, payload: new TextEncoder().encode(text), fin });
}

for (const [name, { request, begun, end }] of Object.entries(ENDS)) {
  Deno.test(`the place of an exchange is given back after ${name}`, async () => {
    const came = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const routes: Record<string, (request: Request) => Promise<Response>> = {
      "/held": () => gate.promise.then(() => new Response("held")),
      "/stream": () => Promise.resolve(toBody(gate.promise)),
      "/upload": (request) => request.text().then(() => new Response("uploaded")),
    };
    await using upstream = startHttp((request) => {
      const route = routes[new URL(request.url).pathname];
      if (route === undefined) return new Response("ok");
      came.resolve();
      return route(request).catch(() => new Response("cut off"));
    });
    await using service = startService({ ...TWO, LIMIT_IN_FLIGHT: "1" });
    await using client = await connectAs("alice", service);
    await using other = await connectAs("alice", service);
    const held: Held = { client, upstream, open: gate.resolve };
    const { path, ...fields } = { path: "", ...request };
    client.send({ type: "request", id: 1, url: upstream.origin + path, ...fields });
    begun?.(held);
    await came.promise;
    const next = { type: "request", id: 1, url: `${upstream.origin}/next` };
    assertRateLimited(await other.ask(next), /in flight is 1/, 1000);
    await end(held);
    const { connection } = client.hello;
    await service.logged("exchanged", (line) => line.connection === connection);
    assertEquals((await other.ask(next)).status, 200);
    gate.resolve();
  });
}

/** A body that has begun, and ends when it may. */
function toBody(gate: Promise<void>): Response {
  return new Response(
    new ReadableStream({
      start(body): void {
        body.enqueue(new Uint8Array(20_000));
        gate.then(() => body.close()).catch(() => {}); // it was cancelled
      },
    }),
  );
}

Deno.test("the places of a client that vanishes with exchanges in flight are given back", async () => {
  await using upstream = startHttp(({ url }) =>
    url.endsWith("/next") ? new Response("ok") : new Promise<Response>(() => {})
  );
  await using service = startService({ ...TWO, LIMIT_IN_FLIGHT: "2" });
  await using other = await connectAs("alice", service);
  const next = { type: "request", id: 1, url: `${upstream.origin}/next` };
  {
    using client = await connectRaw(service.port, tokenOf("alice"));
    const request = JSON.stringify({ url: upstream.origin, method: "GET" });
    for (let i = 0; i < 2; i++) await client.write(rawFrame(TEXT, request));
    await service.logged("decided", ({ exchange }) => exchange === 2);
    assertRateLimited(await other.ask(next), /in flight is 2/, 1000);
  }
  for (const exchange of [1, 2]) {
    await service.logged(
      "exchanged",
      (line) => line.outcome === "cancelled" && line.exchange === exchange,
    );
  }
  assertEquals((await other.ask(next)).status, 200);
});

Deno.test("requests that are malformed or refused hold no place", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  const settings = { ...TWO, LIMIT_IN_FLIGHT: "1", MAX_REQUEST_BYTES: "3" };
  await using service = startService(settings);
  await using client = await connectAs("alice", service);
  const nobody = startHttp(() => new Response());
  await nobody[Symbol.asyncDispose]();
  const url = upstream.origin;
  const refused: [string, object][] = [
    ["bad_request", {}],
    ["bad_request", { url, unknown: 1 }],
    ["bad_request", { url, timeoutMs: 2 ** 31 - 1 }],
    ["unsupported_method", { url, method: "PURGE" }],
    ["request_too_large", {
      url,
      method: "POST",
      text: "four",
    }],
    ["unknown_upstream", { url: "nowhere:/" }],
    ["http_request_denied", { url: "ftp://127.0.0.1/" }],
    ["destination_ip_prohibited", { url: "http://127.0.0.2/" }],
    ["connection_refused", { url: nobody.origin }],
  ];
  for (const [code, fields] of [...refused, ...refused]) {
    const error = await client.ask({ type: "request", id: 1, ...fields });
    assertEquals([error.id, error.code], [1, code]);
  }
  assertEquals((await client.ask({ type: "request", id: 1, url })).status, 200);
});

interface HelloCase {
  readonly name: string;
  readonly settings: Record<string, string>;
  readonly expected: Readonly<Record<string, number>>;
}

const HELLOS: readonly HelloCase[] = [
  {
    name: "that of connections, even if none is configured",
    settings: {},
    expected: { maxInFlight: 64, maxConnections: 2500 },
  },
  {
    name: "none that is not configured",
    settings: { LIMIT_CONNECTIONS: "0" },
    expected: { maxInFlight: 64 },
  },
  {
    name: "each that is configured",
    settings: {
      LIMIT_CONNECTIONS: "1",
      LIMIT_REQUESTS_PER_SECOND: "2",
      LIMIT_REQUEST_BURST: "3",
      LIMIT_BYTES_PER_MINUTE: "4",
    },
    expected: {
      maxInFlight: 64,
      maxConnections: 1,
      requestsPerSecond: 2,
      requestBurst: 3,
      bytesPerMinute: 4,
    },
  },
  {
    name: "what is in flight of an identity, when it is less",
    settings: { LIMIT_CONNECTIONS: "0", LIMIT_IN_FLIGHT: "5" },
    expected: { maxInFlight: 5 },
  },
  {
    name: "what is in flight of a connection, when it is less",
    settings: { LIMIT_CONNECTIONS: "0", LIMIT_IN_FLIGHT: "5", MAX_IN_FLIGHT: "4" },
    expected: { maxInFlight: 4 },
  },
];

for (const { name, settings, expected } of HELLOS) {
  Deno.test(`hello tells of the limits ${name}`, async () => {
    await using service = startService({ ...TWO, ...settings });
    await using client = await connectAs("alice", service);
    const {
      maxFrameBytes: _frame,
      maxRequestBytes: _request,
      maxResponseBytes: _response,
      maxTimeoutMs: _timeout,
      windowBytes: _window,
      maxKeptBytes: _kept,
      ...limits
    } = client.hello.limits;
    assertEquals(limits, expected);
  });
}

Deno.test("a whole answer may overdraw the bytes of a minute, then requests are rate_limited", async () => {
  const body = "x".repeat(5000);
  await using upstream = startHttp(() => new Response(body));
  await using service = startService({ ...TWO, LIMIT_BYTES_PER_MINUTE: "6000" });
  await using client = await connectAs("alice", service);
  await using other = await connectAs("alice", service);
  await using bob = await connectAs("bob", service);
  const request = { type: "request", id: 1, url: upstream.origin };
  for (let i = 0; i < 2; i++) assertEquals((await client.ask(request)).text, body);
  for (const each of [client, other]) {
    assertRateLimited(await each.ask(request), /per minute is 6000/, 60_000);
  }
  assertEquals((await bob.ask(request)).text, body);
  assertEquals(upstream.requests.length, 3);
});

/** A destination that sends one piece of a body after another. */
function startPieces(type: string): HttpUpstream & { readonly send: (piece: string) => void } {
  let body: ReadableStreamDefaultController | undefined;
  const upstream = startHttp(({ url }) => {
    if (!url.endsWith("/pieces")) return new Response(null);
    const stream = new ReadableStream({ start: (controller) => void (body = controller) });
    return new Response(stream, { headers: { "content-type": type } });
  });
  return {
    ...upstream,
    requests: upstream.requests,
    send: (piece) => body?.enqueue(new TextEncoder().encode(piece)),
  };
}

const STREAMS = [
  { stream: true, type: "text/plain", piece: "x".repeat(60) },
  { stream: "lines", type: "text/plain", piece: `${"x".repeat(60)}\n` },
  { stream: "events", type: "text/event-stream", piece: `data: ${"x".repeat(60)}\n\n` },
] as const;

for (const { stream, type, piece } of STREAMS) {
  Deno.test(`a body with stream: ${stream} stops where the bytes of the minute end, and can be cancelled`, async () => {
    await using upstream = startPieces(type);
    await using service = startService({ ...TWO, LIMIT_BYTES_PER_MINUTE: "100" });
    await using client = await connectAs("alice", service);
    await using other = await connectAs("alice", service);
    client.send({ type: "request", id: 1, url: `${upstream.origin}/pieces`, stream });
    assertEquals((await client.next()).stream, true);
    const empty = { type: "request", id: 1, url: upstream.origin };
    for (const outcome of [200, "rate_limited"]) { // the second piece overdraws, and goes
      upstream.send(piece);
      const { data, payload } = await client.next();
      assertEquals(data ?? new TextDecoder().decode(payload), "x".repeat(60));
      const { status, code } = await other.ask(empty);
      assertEquals(status ?? code, outcome);
    }
    assertRateLimited(await other.ask(empty), /per minute is 100/, 60_000);

    upstream.send(piece);
    await using bob = await connectAs("bob", service);
    assertEquals((await bob.ask(empty)).status, 200); // by now the piece has come
    for (const _ of [1, 2]) { // neither the piece nor an error
      assertEquals((await client.ask({ type: "ping" })).type, "pong");
    }

    client.send({ type: "cancel", id: 1 });
    const { connection } = client.hello;
    const line = await service.logged("exchanged", (line) => line.connection === connection);
    assertEquals(line.outcome, "cancelled");
    assertEquals((await client.ask({ type: "ping" })).type, "pong");
  });
}

for (const [limit, outcome] of [["120", "rate_limited"], ["121", 200]] as const) {
  Deno.test(`events count with their names and ids: two of 60 bytes of ${limit}, then ${outcome}`, async () => {
    await using upstream = startPieces("text/event-stream");
    await using service = startService({ ...TWO, LIMIT_BYTES_PER_MINUTE: limit });
    await using client = await connectAs("alice", service);
    await using other = await connectAs("alice", service);
    client.send({ type: "request", id: 1, url: `${upstream.origin}/pieces`, stream: "events" });
    assertEquals((await client.next()).stream, true);
    const [event, lastEventId, data] = ["e".repeat(10), "i".repeat(40), "é".repeat(5)];
    const empty = { type: "request", id: 1, url: upstream.origin };
    for (const [id, next] of [[`id: ${lastEventId}\n`, 200], ["", outcome]]) { // an id is repeated
      upstream.send(`event: ${event}\n${id}data: ${data}\n\n`);
      assertEquals(await client.next(), { type: "event", id: 1, event, data, lastEventId });
      const { status, code } = await other.ask(empty);
      assertEquals(status ?? code, next);
    }
  });
}

Deno.test("a stream that waits for its bytes gives its place back when it is cancelled", async () => {
  await using upstream = startPieces("text/plain");
  const settings = { ...TWO, LIMIT_BYTES_PER_MINUTE: "100", LIMIT_IN_FLIGHT: "1" };
  await using service = startService(settings);
  await using client = await connectAs("alice", service);
  await using other = await connectAs("alice", service);
  client.send({ type: "request", id: 1, url: `${upstream.origin}/pieces`, stream: true });
  assertEquals((await client.next()).stream, true);
  upstream.send("x".repeat(100));
  assertEquals((await client.next()).payload.byteLength, 100);
  upstream.send("y");
  const empty = { type: "request", id: 1, url: upstream.origin };
  assertRateLimited(await other.ask(empty), /in flight is 1/, 1000);
  client.send({ type: "cancel", id: 1 });
  await service.logged("exchanged", ({ outcome }) => outcome === "cancelled");
  assertRateLimited(await other.ask(empty), /per minute is 100/, 60_000); // which only a place can find out
});

Deno.test("a drain does not wait for a stream that waits for its bytes", async () => {
  await using upstream = startPieces("text/plain");
  const settings = { ...TWO, LIMIT_BYTES_PER_MINUTE: "100", DRAIN_MS: "50" };
  await using service = startService(settings);
  await using client = await connectAs("alice", service);
  await using bob = await connectAs("bob", service);
  client.send({ type: "request", id: 1, url: `${upstream.origin}/pieces`, stream: true });
  assertEquals((await client.next()).stream, true);
  upstream.send("x".repeat(101));
  assertEquals((await client.next()).payload.byteLength, 101);
  upstream.send("y");
  const empty = { type: "request", id: 1, url: upstream.origin };
  assertEquals((await bob.ask(empty)).status, 200); // by now the piece has come
  await service.app.drain();
  const [goaway, error] = await client.take(2);
  assertEquals([goaway.type, error.id, error.code], ["goaway", 1, "draining"]);
  assertEquals((await client.closed).code, 1001);
});

Deno.test("who floods is held to its limit, and nobody else's request is refused", async () => {
  const limit = 20;
  const connections = 4;
  await using upstream = startHttp(() => new Response("ok"));
  const settings = { ...TWO, LIMIT_REQUESTS_PER_SECOND: String(limit), MAX_IN_FLIGHT: "1000" };
  await using service = startService(settings);
  await using bob = await connectAs("bob", service);
  await using stack = new AsyncDisposableStack();
  const flooders: TestClient[] = [];
  for (let i = 0; i < connections; i++) {
    flooders.push(stack.use(await connectAs("alice", service)));
  }
  const startedAt = performance.now();
  const each = 20 * limit / connections;
  const flood = Promise.all(flooders.map((client) => burst(client, upstream.origin, each)));
  const request = { type: "request", id: 1, url: upstream.origin };
  for (let i = 0; i < limit; i++) assertEquals((await bob.ask(request)).status, 200);
  const outcomes = (await flood).flat();
  const windows = 1 + Math.ceil((performance.now() - startedAt) / 1000);
  const passed = outcomes.filter((outcome) => outcome === 200).length;
  const limited = outcomes.filter((outcome) => outcome === "rate_limited").length;
  assert(passed >= limit && passed <= limit * windows, `${passed} have passed`);
  assertEquals(passed + limited, 20 * limit);
  assertEquals(upstream.requests.length, passed + limit);
});
