import { assert, assertEquals, assertMatch } from "@std/assert";
import { connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { type Service, startService } from "../helpers/service.ts";
import { latin1, startHttp, startRaw } from "../helpers/upstream.ts";

const RETRY = { attempts: 3, backoffMs: 1, maxBackoffMs: 10_000 };
const BREAKER = { failures: 3, openMs: 100_000 };
// As short as it can be configured.
const SHORT_MS = 100;

/** A service with the upstream `api`. */
function startWith(
  definition: object,
  settings: Record<string, string> = {},
): Service {
  const UPSTREAMS = JSON.stringify({ api: definition });
  return startService({ ALLOW_HOSTS: "127.0.0.1:*", UPSTREAMS, ...settings });
}

const request = (fields: object = {}): object => ({
  type: "request",
  id: 1,
  url: "api:/x",
  ...fields,
});

/** What an answer says: its status or its code, and what may have been sent. */
const gist = ({ status, code, sent, retryable }: Frame): unknown[] =>
  code === undefined ? [status] : [code, sent, retryable];

/** A server that answers with these statuses, the last for ever, and a header field to each. */
function startFlaky(
  statuses: readonly number[],
  headers: HeadersInit = {},
): ReturnType<typeof startHttp> {
  const left = [...statuses];
  return startHttp(() => {
    const status = left.length > 1 ? left.shift() : left[0];
    return new Response("x", { status: status ?? 200, headers });
  });
}

/** A server that drops so many connections without an answer; then it answers. */
function startDropping(drops: number): ReturnType<typeof startRaw> {
  let left = drops;
  return startRaw(async (connection) => {
    await connection.readHead();
    if (left-- > 0) return connection.close();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
    connection.close();
  });
}

Deno.test("a request that can be repeated is, on statuses that pass and on no others", async () => {
  const cases = [
    ["GET", [503, 200], [200], 2],
    ["GET", [502, 504, 200], [200], 3],
    ["GET", [429, 200], [200], 2],
    ["GET", [503, 503, 503, 200], [503], 3],
    ["HEAD", [503, 200], [200], 2],
    ["OPTIONS", [503, 200], [200], 2],
    ["PUT", [503, 200], [200], 2],
    ["DELETE", [503, 200], [200], 2],
    ["POST", [503, 200], [503], 1],
    ["PATCH", [503, 200], [503], 1],
    ["GET", [500, 200], [500], 1],
    ["GET", [404, 200], [404], 1],
    ["GET", [200], [200], 1],
  ] as const;
  for (const [method, statuses, expected, count] of cases) {
    await using server = startFlaky(statuses);
    await using service = startWith({ baseUrl: server.origin, retry: RETRY });
    await using client = await connectV1(service.url);
    const where = `${method} ${statuses}`;
    assertEquals(gist(await client.ask(request({ method }))), expected, where);
    assertEquals(server.requests.length, count, where);
    const { status, code, outcome } = await service.logged("exchanged");
    assertEquals([status, code, outcome], [expected[0], undefined, "response"], where);
  }
});

Deno.test("a request whose connection broke is repeated if it can be, body and all", async () => {
  const cases = [
    ["GET", 1, [200], 2],
    ["GET", 2, [200], 3],
    ["GET", 3, ["connection_terminated", "maybe", true], 3],
    ["PUT", 2, [200], 3],
    ["POST", 1, ["connection_terminated", "maybe", false], 1],
  ] as const;
  for (const [method, drops, expected, count] of cases) {
    await using server = startDropping(drops);
    await using service = startWith({ baseUrl: server.origin, retry: RETRY });
    await using client = await connectV1(service.url);
    const body = method === "GET" ? {} : { text: "body" };
    const where = `${method} ${drops}`;
    assertEquals(gist(await client.ask(request({ method, ...body }))), expected, where);
    assertEquals(server.connections(), count, where);
  }
});

Deno.test("a connection that is refused is tried again, and the last failure told", async () => {
  let origin: string;
  {
    await using server = startHttp(() => new Response());
    ({ origin } = server);
  }
  await using service = startWith({ baseUrl: origin, retry: RETRY });
  await using client = await connectV1(service.url);
  for (const method of ["GET", "POST"]) {
    assertEquals(gist(await client.ask(request({ method }))), ["connection_refused", "no", true]);
  }
});

Deno.test("every attempt carries the header fields and the whole body", async () => {
  const seen: unknown[] = [];
  await using server = startHttp(async ({ headers, body }) => {
    seen.push([headers.get("x-key"), headers.get("x-own"), await new Response(body).text()]);
    return new Response("x", { status: seen.length < 3 ? 503 : 200 });
  });
  await using service = startWith({
    baseUrl: server.origin,
    headers: { "x-key": "secret" },
    retry: RETRY,
  });
  await using client = await connectV1(service.url);
  const fields = { method: "PUT", text: "body", headers: { "x-own": "1", "x-key": "mine" } };
  assertEquals(gist(await client.ask(request(fields))), [200]);
  assertEquals(seen, Array(3).fill(["secret", "1", "body"]));
});

Deno.test("an upload that is streamed is not repeated", async () => {
  await using server = startHttp(async ({ body }) => {
    const text = await new Response(body).text();
    return new Response(text, { status: 503 });
  });
  await using service = startWith({ baseUrl: server.origin, retry: RETRY });
  await using client = await connectV1(service.url);
  client.send(request({ method: "PUT", bodyFollows: true }));
  client.send(new Uint8Array([0, 0, 0, 1, 1, ...latin1("whole")]));
  let answer = await client.next();
  while (answer.type === "grant") answer = await client.next();
  assertEquals([answer.status, answer.text], [503, "whole"]);
  assertEquals(server.requests.length, 1);
});

Deno.test("once a response head has come, nothing is repeated", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
  await using server = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(`${head}${"x".repeat(20_000)}`);
    connection.close();
  });
  await using service = startWith({ baseUrl: server.origin, retry: RETRY, breaker: BREAKER });
  await using client = await connectV1(service.url);
  assertEquals(gist(await client.ask(request())), ["http_response_incomplete", "yes", true]);
  assertEquals(server.connections(), 1);
  client.send(request({ stream: true }));
  let frame = await client.next();
  assertEquals([frame.type, frame.status, frame.stream], ["response", 200, true]);
  while (frame.type !== "error") {
    frame = await client.next();
    assert(!frame.fin, "no chunk with FIN comes of what is not whole");
  }
  assertEquals(gist(frame), ["http_response_incomplete", "yes", true]);
  assertEquals(server.connections(), 2);
});

Deno.test("Retry-After is obeyed when it is short, and handed on when it is not", async () => {
  await using server = startFlaky([503, 200], { "retry-after": "1" });
  await using service = startWith({ baseUrl: server.origin, retry: RETRY });
  await using client = await connectV1(service.url);
  const answer = await client.ask(request());
  assertEquals([answer.status, server.requests.length], [200, 2]);
  assert(answer.timing.waitMs >= 1000, `${answer.timing.waitMs} ms`);

  for (const value of ["11", "3600", "99999999999", new Date(Date.now() + 60_000).toUTCString()]) {
    await using long = startFlaky([429, 200], { "retry-after": value });
    await using other = startWith({ baseUrl: long.origin, retry: RETRY });
    await using asking = await connectV1(other.url);
    const { status, headers } = await asking.ask(request());
    assertEquals([status, new Headers(headers).get("retry-after")], [429, value]);
    assertEquals(long.requests.length, 1);
  }
});

Deno.test("where nothing is configured there is one request, and its outcome as it is", async () => {
  await using server = startFlaky([503]);
  await using dropping = startDropping(1000);
  for (const definition of [{}, { breaker: BREAKER }]) {
    await using service = startWith({ baseUrl: server.origin, ...definition });
    await using client = await connectV1(service.url);
    const before = server.requests.length;
    assertEquals(gist(await client.ask(request())), [503]);
    assertEquals(server.requests.length, before + 1);
  }
  await using service = startWith({ baseUrl: dropping.origin });
  await using client = await connectV1(service.url);
  for (let count = 1; count <= 20; count++) {
    assertEquals(gist(await client.ask(request())), ["connection_terminated", "maybe", true]);
    assertEquals(dropping.connections(), count);
  }
});

Deno.test("a URL that is no upstream is not repeated, nor what a redirect leads to", async () => {
  await using server = startFlaky([503]);
  await using upstream = startHttp(() => Response.redirect(`${server.origin}/x`, 302));
  await using service = startWith({
    baseUrl: upstream.origin,
    retry: RETRY,
    breaker: { failures: 1, openMs: 100_000 },
  });
  await using client = await connectV1(service.url);
  assertEquals(gist(await client.ask(request({ url: `${server.origin}/x` }))), [503]);
  assertEquals(server.requests.length, 1);
  for (let count = 2; count <= 4; count++) {
    assertEquals(gist(await client.ask(request())), [503]);
    assertEquals([server.requests.length, upstream.requests.length], [count, count - 1]);
  }
});

/** Takes note of an open breaker's refusal. */
function assertRefused(frame: Frame): void {
  assertEquals(gist(frame), ["destination_unavailable", "no", true]);
  assert(frame.retryAfterMs > 0, `${frame.retryAfterMs}`);
}

/** Asks again as soon as the refusals say, until there is another answer. */
async function askUntilLetThrough(client: TestClient, fields: object = {}): Promise<Frame> {
  for (;;) {
    const answer = await client.ask(request(fields));
    if (answer.code !== "destination_unavailable") return answer;
    await new Promise((resolve) => setTimeout(resolve, answer.retryAfterMs));
  }
}

for (
  const [name, start, outcome] of [
    ["503", () => startFlaky([503]), [503]],
    ["broken connections", () => startDropping(1000), ["connection_terminated", "maybe", true]],
    [
      "what is not HTTP",
      () =>
        startRaw(async (connection) => {
          await connection.readHead();
          await connection.write("HTTQ/9 what\r\n\r\n");
          connection.close();
        }),
      ["http_protocol_error", "yes", false],
    ],
  ] as const
) {
  Deno.test(`the breaker opens after so many failures in a row: ${name}`, async () => {
    await using server = start();
    const count = (): number =>
      "requests" in server ? server.requests.length : server.connections();
    await using service = startWith({ baseUrl: server.origin, breaker: BREAKER });
    await using client = await connectV1(service.url);
    await using other = await connectV1(service.url);
    for (let made = 1; made <= BREAKER.failures; made++) {
      assertEquals(gist(await client.ask(request())), outcome);
      assertEquals(count(), made);
    }
    for (const asking of [client, other]) {
      for (const method of ["GET", "POST"]) {
        const refused = await asking.ask(request({ method }));
        assertRefused(refused);
        assert(refused.retryAfterMs <= BREAKER.openMs);
      }
    }
    assertEquals(count(), BREAKER.failures);
    const line = await service.logged(
      "exchanged",
      ({ code }) => code === "destination_unavailable",
    );
    assertEquals([line.decision, line.reason, line.waitMs], ["allow", "upstream:api", undefined]);
  });
}

Deno.test("what works between failures keeps the breaker closed, as do errors that are answers", async () => {
  await using server = startFlaky([
    503,
    503,
    200,
    503,
    503,
    404,
    503,
    503,
    500,
    503,
    503,
    429,
    503,
  ]);
  await using service = startWith({ baseUrl: server.origin, breaker: BREAKER });
  await using client = await connectV1(service.url);
  for (let count = 1; count <= 15; count++) {
    assertEquals((await client.ask(request())).type, "response");
    assertEquals(server.requests.length, count);
  }
  assertRefused(await client.ask(request()));
});

Deno.test("retries go through the breaker: it opens in the middle of them, and the failure is told", async () => {
  await using server = startFlaky([503]);
  await using service = startWith({
    baseUrl: server.origin,
    retry: { ...RETRY, attempts: 10 },
    breaker: BREAKER,
  });
  await using client = await connectV1(service.url);
  assertEquals(gist(await client.ask(request())), [503]);
  assertEquals(server.requests.length, BREAKER.failures);
  assertRefused(await client.ask(request()));
  assertEquals(server.requests.length, BREAKER.failures);
});

Deno.test("an open breaker lets one request through when its time is over, which decides", async () => {
  const gate = Promise.withResolvers<void>();
  let came = Promise.withResolvers<void>();
  const statuses = [503, 503, 200];
  await using server = startHttp(async () => {
    came.resolve();
    if (server.requests.length === 3) await gate.promise;
    return new Response("x", { status: statuses[server.requests.length - 1] ?? 200 });
  });
  await using service = startWith({
    baseUrl: server.origin,
    breaker: { failures: 1, openMs: SHORT_MS },
  });
  await using client = await connectV1(service.url);
  await using other = await connectV1(service.url);
  assertEquals(gist(await client.ask(request())), [503]);
  assertRefused(await client.ask(request()));
  assertEquals(gist(await askUntilLetThrough(client)), [503]); // the test fails: it opens again
  assertEquals(server.requests.length, 2);
  assertRefused(await client.ask(request()));
  came = Promise.withResolvers();
  const testing = askUntilLetThrough(client);
  await came.promise;
  for (let count = 0; count < 5; count++) assertRefused(await other.ask(request()));
  assertEquals(server.requests.length, 3, "only one request is the test");
  gate.resolve();
  assertEquals(gist(await testing), [200]);
  for (let count = 4; count < 8; count++) {
    assertEquals(gist(await other.ask(request())), [200]);
    assertEquals(server.requests.length, count);
  }
});

/** A server whose health check is answered with these statuses, and everything else with one. */
function startHealth(
  health: readonly number[],
): ReturnType<typeof startHttp> & {
  readonly probes: string[];
  readonly probed: (count: number) => Promise<void>;
  others: number;
} {
  const probes: string[] = [];
  const watchers: { readonly count: number; resolve(): void }[] = [];
  const server = startHttp(({ method, url, headers }) => {
    if (new URL(url).pathname !== "/v1/health") return new Response("x", { status: others.others });
    probes.push(`${method} ${headers.get("authorization")}`);
    for (const { count, resolve } of watchers) if (probes.length >= count) resolve();
    return new Response(null, { status: health[probes.length - 1] ?? 200 });
  });
  const others = Object.assign(server, {
    probes,
    others: 503,
    probed: (count: number): Promise<void> =>
      probes.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => watchers.push({ count, resolve })),
  });
  return others;
}

Deno.test("the health path closes the breaker, and is asked with the header fields while it is open", async () => {
  await using server = startHealth([503, 302, 404, 204]);
  await using service = startWith({
    baseUrl: `${server.origin}/v1`,
    headers: { authorization: "Bearer secret" },
    breaker: { failures: 2, openMs: SHORT_MS },
    health: "/health",
    // What holds for clients does not hold for the operator's own check.
    methods: ["POST"],
    paths: ["/x"],
  });
  await using client = await connectV1(service.url);
  const fields = { method: "POST" };
  for (let count = 0; count < 2; count++) {
    assertEquals(gist(await client.ask(request(fields))), [503]);
  }
  assertEquals(server.probes, [], "nobody asks while the breaker is closed");
  for (let count = 1; count <= 3; count++) {
    assertRefused(await client.ask(request(fields)));
    await server.probed(count);
  }
  server.others = 200;
  await server.probed(4);
  assertEquals(gist(await askUntilLetThrough(client, fields)), [200]);
  assertEquals(server.probes, Array(4).fill("GET Bearer secret"));
  assertEquals(server.requests.length, 4 + 3, "no request was the test");
});

Deno.test("a disposed service probes no more, neither now nor later", async () => {
  await using server = startHealth(Array(1000).fill(503));
  await using clock = startHealth(Array(1000).fill(503));
  const definition = { breaker: { failures: 1, openMs: SHORT_MS }, health: "/health" };
  {
    await using service = startWith({ baseUrl: `${server.origin}/v1`, ...definition });
    await using client = await connectV1(service.url);
    await client.ask(request());
    await server.probed(1);
  }
  const before = server.probes.length;
  // Another service, begun later, is the clock: when it has probed twice, the first would have too.
  await using later = startWith({ baseUrl: `${clock.origin}/v1`, ...definition });
  await using other = await connectV1(later.url);
  await other.ask(request());
  await clock.probed(2);
  assertEquals(server.probes.length, before);
});

Deno.test("a disposed service ends the probe that is under way", async () => {
  const probing = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  await using server = startRaw(async (connection) => {
    const head = await connection.readHead();
    if (head.startsWith("GET /health ")) {
      probing.resolve();
      await connection.peerClosed();
      return ended.resolve();
    }
    const status = "HTTP/1.1 503 Service Unavailable\r\n";
    await connection.write(`${status}content-length: 0\r\nconnection: close\r\n\r\n`);
    connection.close();
  });
  {
    await using service = startWith({
      baseUrl: server.origin,
      breaker: { failures: 1, openMs: SHORT_MS },
      health: "/health",
    });
    await using client = await connectV1(service.url);
    await client.ask(request());
    await probing.promise;
  }
  await ended.promise;
});

Deno.test("a health check lets go of its connection, however long the answer is", async () => {
  let ended = 0;
  let probes = 0;
  const third = Promise.withResolvers<void>();
  await using server = startHttp(({ url }) => {
    if (!url.endsWith("/health")) return new Response("x", { status: 503 });
    if (++probes === 3) third.resolve();
    const chunk = new Uint8Array(65_536);
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(chunk),
      cancel: () => void ended++,
    });
    return new Response(body, { status: 503 });
  });
  await using service = startWith({
    baseUrl: server.origin,
    breaker: { failures: 1, openMs: SHORT_MS },
    health: "/health",
  });
  await using client = await connectV1(service.url);
  await client.ask(request());
  await third.promise;
  assert(ended >= 1, "the first probe was over long before the third");
});

/** A server that hangs until it is told to answer. */
function startHanging(): ReturnType<typeof startHttp> & {
  readonly came: () => Promise<void>;
  answers: boolean;
} {
  let coming = Promise.withResolvers<void>();
  const server = startHttp(() => {
    coming.resolve();
    return hanging.answers ? new Response("x") : new Promise<Response>(() => {});
  });
  const hanging = Object.assign(server, {
    answers: false,
    async came(): Promise<void> {
      await coming.promise;
      coming = Promise.withResolvers();
    },
  });
  return hanging;
}

const TOUCHY = { failures: 1, openMs: 100_000 };

Deno.test("a time-out opens the breaker, but not one that the client has chosen shorter", async () => {
  await using server = startHanging();
  await using service = startWith({ baseUrl: server.origin, timeoutMs: 800, breaker: TOUCHY });
  await using client = await connectV1(service.url);
  for (let count = 1; count <= 3; count++) {
    // Long enough that the request is there before, also on a busy machine.
    const answer = await client.ask(request({ timeoutMs: 400 }));
    assertEquals(gist(answer), ["http_response_timeout", "maybe", true]);
    assertEquals(server.requests.length, count);
  }
  assertEquals(gist(await client.ask(request())), ["http_response_timeout", "maybe", true]);
  assertEquals(server.requests.length, 4);
  assertRefused(await client.ask(request()));
});

Deno.test("a client that does not send the body it has announced cannot open the breaker", async () => {
  await using server = startHanging();
  await using service = startWith({ baseUrl: server.origin, timeoutMs: 60, breaker: TOUCHY });
  await using client = await connectV1(service.url);
  client.send(request({ method: "POST", bodyFollows: true }));
  assertEquals(gist(await client.next()), ["http_response_timeout", "maybe", false]);
  server.answers = true;
  assertEquals(gist(await client.ask(request())), [200]);
});

Deno.test("a client that cancels or vanishes does not open the breaker", async () => {
  await using server = startHanging();
  await using service = startWith({ baseUrl: server.origin, breaker: TOUCHY });
  await using client = await connectV1(service.url);
  await using vanishing = await connectV1(service.url);
  client.send(request());
  await server.came();
  client.send({ type: "cancel", id: 1 });
  vanishing.send(request());
  await server.came();
  vanishing.webSocket.close();
  let left = 2;
  await service.logged("exchanged", ({ outcome }) => outcome === "cancelled" && --left === 0);
  server.answers = true;
  assertEquals(gist(await client.ask(request())), [200]);
  assertEquals(server.requests.length, 3);
});

// A wait that does not end by itself while a test runs.
const PATIENT = { attempts: 3, backoffMs: 1, maxBackoffMs: 10_000_000 };

/** A server that asks for an hour's wait; the promise fulfils when the answer has been read. */
function startBusy(): ReturnType<typeof startRaw> & { readonly answered: Promise<void> } {
  const answered = Promise.withResolvers<void>();
  const server = startRaw(async (connection) => {
    await connection.readHead();
    const head = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 3600\r\n";
    await connection.write(`${head}transfer-encoding: chunked\r\n\r\n1\r\nx\r\n`);
    await connection.peerClosed(); // the retry lets go of the body before it waits
    answered.resolve();
    connection.close();
  });
  return Object.assign(server, { answered: answered.promise });
}

Deno.test("a cancel and a client that vanishes end the wait for a retry at once", async () => {
  for (const leave of ["cancel", "vanish"]) {
    await using server = startBusy();
    await using service = startWith({ baseUrl: server.origin, retry: PATIENT, maxInFlight: 1 });
    await using client = await connectV1(service.url);
    client.send(request());
    await server.answered;
    if (leave === "cancel") client.send({ type: "cancel", id: 1 });
    else client.webSocket.close();
    const { outcome, status } = await service.logged("exchanged");
    assertEquals([outcome, status], ["cancelled", undefined]);
    assertEquals(server.connections(), 1);
  }
});

Deno.test("the deadline of an exchange covers all of its attempts", async () => {
  await using server = startBusy();
  await using service = startWith({ baseUrl: server.origin, retry: PATIENT });
  await using client = await connectV1(service.url);
  const answer = await client.ask(request({ timeoutMs: 150 }));
  assertEquals([answer.code, answer.retryable], ["http_response_timeout", true]);
  assert(answer.sent !== "no");
  assertMatch(answer.message, /within 150 ms/);
  assertEquals(server.connections(), 1);
});

Deno.test("a drain ends the wait for a retry when its grace is over", async () => {
  await using server = startBusy();
  await using service = startWith({ baseUrl: server.origin, retry: PATIENT }, { DRAIN_MS: "20" });
  await using client = await connectV1(service.url);
  client.send(request());
  await server.answered;
  await service.app.drain();
  const [goaway, error] = await client.take(2);
  assertEquals(goaway, { type: "goaway", graceMs: 20 });
  assertEquals(gist(error), ["draining", "yes", true]);
  assertEquals((await client.closed).code, 1001);
  assertEquals(server.connections(), 1);
});

Deno.test("what is known of an upstream's health outlives a reload that changes only its secrets", async () => {
  await using server = startFlaky([503]);
  let headers: Record<string, string> = { authorization: "one" };
  let breaker = TOUCHY;
  const sources = {
    env: () => undefined,
    readText: () => JSON.stringify({ api: { baseUrl: server.origin, headers, breaker } }),
  };
  await using service = startService({ ALLOW_HOSTS: "", UPSTREAMS: "/upstreams.json" }, {
    sources,
  });
  await using client = await connectV1(service.url);
  assertEquals(gist(await client.ask(request())), [503]);
  assertRefused(await client.ask(request()));
  headers = { authorization: "two" };
  service.app.reload();
  assertRefused(await client.ask(request()));
  breaker = { ...TOUCHY, failures: 2 };
  service.app.reload();
  assertEquals(gist(await client.ask(request())), [503]);
  assertEquals(server.requests.length, 2);
});
