/**
 * The times that responses tell, and the name by which an exchange is found in the log.
 */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { createResolver, type Resolver } from "../../src/policy/resolver.ts";
import { connectPlain, connectV1, type Frame } from "../helpers/client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

// A fetch of nothing takes as long on a machine that does something else; a lookup here takes longer.
const LOOKUP_MS = 150;
const HOSTS = { ALLOW_HOSTS: "127.0.0.1:*,*.test:*" };

/** Looks every name up as the loopback interface, which takes a moment. */
function createSlowResolver(): Resolver {
  return createResolver({
    lookup: () => new Promise((resolve) => setTimeout(() => resolve(["127.0.0.1"]), LOOKUP_MS)),
    ttlMs: 3_600_000,
  });
}

/** Every time is there that has to be, and none is longer than what it is a part of. */
function assertTiming({ timing }: Frame, { isWhole = true, isLookedUp = false } = {}): void {
  const { queueMs, dnsMs = 0, connectMs, waitMs, transferMs = 0, totalMs } = timing;
  const text = JSON.stringify(timing);
  const names = [
    "queueMs",
    ...(isLookedUp ? ["dnsMs"] : []),
    ...(connectMs === undefined ? [] : ["connectMs"]), // whether a connection was idle is another test's subject
    "waitMs",
    ...(isWhole ? ["transferMs"] : []),
    "totalMs",
  ];
  assertEquals(Object.keys(timing), names);
  for (const ms of Object.values(timing)) assert(typeof ms === "number" && ms >= 0, text);
  assert(queueMs <= waitMs && waitMs <= totalMs, text);
  // Each is rounded to a microsecond.
  assert(queueMs + dnsMs + (connectMs ?? 0) <= waitMs + 0.003, text);
  if (isWhole) assert(Math.abs(waitMs + transferMs - totalMs) <= 0.002, text);
  else assertEquals(transferMs, 0);
}

Deno.test("a whole response tells when its request was made, when its head came and when its end", async () => {
  await using upstream = startHttp((request) => {
    if (!request.url.endsWith("/slow")) return Response.json({ a: 1 });
    return new Response(
      new ReadableStream({
        async start(controller): Promise<void> {
          controller.enqueue(new Uint8Array(1));
          await new Promise((resolve) => setTimeout(resolve, 100));
          controller.close();
        },
      }),
    );
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  const quick = await client.ask({ type: "request", id: 1, url: upstream.origin });
  assertTiming(quick);
  const slow = await client.ask({ type: "request", id: 1, url: `${upstream.origin}/slow` });
  assertTiming(slow);
  // When the head arrives is not known on a busy machine: only the sum is.
  const { waitMs, transferMs, totalMs } = slow.timing;
  assert(transferMs > 0 && waitMs + transferMs >= 90 && totalMs >= 90, JSON.stringify(slow.timing));
  const empty = await client.ask({ type: "request", id: 1, method: "HEAD", url: upstream.origin });
  assertTiming(empty);
  // What the log says is the same, or what was added since: the frame that went.
  for (const { requestId, timing } of [quick, slow, empty]) {
    const line = await service.logged("exchanged", (line) => line["requestId"] === requestId);
    assertEquals(line["waitMs"], timing.waitMs);
    assert(Number(line["totalMs"]) >= timing.totalMs);
  }
});

const EVENTS = { headers: { "content-type": "text/event-stream" } };

Deno.test("a response whose body follows tells no transferMs, in every way that it may follow", async () => {
  await using upstream = startHttp(({ url }) =>
    url.endsWith("/events")
      ? new Response("data: 1\n\n", EVENTS)
      : new Response(new Uint8Array(url.endsWith("/small") ? 10 : 100_000))
  );
  await using service = startService();
  await using client = await connectV1(service.url);
  const ways = [
    { path: "/large", stream: true, isWhole: false },
    { path: "/small", stream: true, isWhole: true },
    { path: "/events", stream: "events", isWhole: false },
    { path: "/small", stream: "events", isWhole: true },
    { path: "/small", stream: "lines", isWhole: false },
  ];
  for (const [index, { path, stream, isWhole }] of ways.entries()) {
    const id = index + 1;
    client.send({ type: "request", id, url: `${upstream.origin}${path}`, stream });
    const head = await client.next();
    assertEquals(head.stream === true, !isWhole, `${path} ${stream}`);
    assertTiming(head, { isWhole });
    for (let last = head; !isWhole && last.fin !== true && last.type !== "end";) {
      last = await client.next();
    }
  }
});

Deno.test("dnsMs is there when a host was looked up for the exchange, and only then", async () => {
  await using upstream = startHttp(({ url }) => {
    const { pathname, port } = new URL(url);
    return pathname === "/away"
      ? Response.redirect(`http://second.test:${port}/`)
      : new Response("answer");
  });
  await using service = startService(HOSTS, { resolver: createSlowResolver() });
  await using client = await connectV1(service.url);
  const ask = (host: string, path = "/"): Promise<Frame> =>
    client.ask({ type: "request", id: 1, url: `http://${host}:${upstream.port}${path}` });

  const first = await ask("first.test");
  assertTiming(first, { isLookedUp: true });
  assert(first.timing.dnsMs >= LOOKUP_MS - 5, JSON.stringify(first.timing));
  assertTiming(await ask("first.test")); // it is known
  assertTiming(await ask("127.0.0.1")); // it is no name
  // A host that only a redirect leads to, whose own was known.
  const away = await ask("first.test", "/away");
  assertEquals(away.redirected, true);
  assertTiming(away, { isLookedUp: true });
});

Deno.test("dnsMs is the sum over an exchange's hops, and each of several that wait for a lookup tells its own", async () => {
  await using upstream = startHttp(({ url }) => {
    const { pathname, port } = new URL(url);
    return pathname === "/away"
      ? Response.redirect(`http://fourth.test:${port}/`)
      : new Response("answer");
  });
  await using service = startService(HOSTS, { resolver: createSlowResolver() });
  await using client = await connectV1(service.url);
  const url = (host: string, path: string): string => `http://${host}:${upstream.port}${path}`;
  const both = await client.ask({ type: "request", id: 1, url: url("third.test", "/away") });
  assertTiming(both, { isLookedUp: true });
  assert(both.timing.dnsMs >= 2 * LOOKUP_MS - 10, JSON.stringify(both.timing));
  for (const id of [2, 3]) client.send({ type: "request", id, url: url("fifth.test", "/") });
  for (const frame of await client.take(2)) assertTiming(frame, { isLookedUp: true });
});

Deno.test("queueMs leaves out what the destination takes, also among many", async () => {
  await using upstream = startHttp(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return new Response();
  });
  await using service = startService({
    ...LOOPBACK,
    LIMIT_REQUESTS_PER_SECOND: "1000",
    LIMIT_IN_FLIGHT: "1000",
    UPSTREAMS: JSON.stringify({ shop: { baseUrl: upstream.origin, maxInFlight: 50 } }),
  });
  await using client = await connectV1(service.url);
  const count = 40;
  for (let id = 1; id <= count; id++) {
    const target = id % 2 === 0 ? { url: upstream.origin } : { url: "shop:/" };
    client.send({ type: "request", id, ...target });
  }
  for (const frame of await client.take(count)) {
    assertTiming(frame);
    const { queueMs, waitMs } = frame.timing;
    assert(waitMs - queueMs >= 90, JSON.stringify(frame.timing));
  }
});

/** The names of exchanges in the log, in its order. */
function namesIn({ log }: Service): readonly unknown[] {
  return log.filter(({ event }) => event === "exchanged").map((line) => line["requestId"]);
}

Deno.test("the requestId of a response or an error is in exactly one line of the log", async () => {
  let gate = Promise.withResolvers<void>();
  await using upstream = startHttp(async ({ url }) => {
    if (url.endsWith("/gated")) await gate.promise;
    return new Response(url.endsWith("/s") ? "s".repeat(99_999) : "x");
  });
  await using service = startService({ ...LOOPBACK, MAX_IN_FLIGHT: "2" });
  const names: string[] = [];
  for (let connection = 0; connection < 2; connection++) {
    gate = Promise.withResolvers();
    await using client = await connectV1(service.url);
    const { origin } = upstream;
    // The id is used again and again; an exchange is told by its requestId alone.
    const requests: readonly object[] = [
      { url: origin },
      { url: origin, method: "POST", json: { a: 1 } },
      { url: origin, stream: "lines" },
      { url: `${origin}/s`, stream: true },
      { url: "http://10.0.0.1/" },
      { url: "nobody:/" },
      { url: origin, method: "PURGE" },
      { wrong: true },
    ];
    for (const request of requests) {
      const frame = await client.ask({ type: "request", id: 1, ...request });
      assertEquals(frame.id, 1);
      assertMatch(frame.requestId, /^[\w-]+$/);
      names.push(frame.requestId);
      for (let last = frame; frame.stream && last.fin !== true && last.type !== "end";) {
        last = await client.next();
        assertFalse("requestId" in last, last.type);
      }
    }
    for (const id of [1, 2]) client.send({ type: "request", id, url: `${origin}/gated` });
    const crowd = await client.ask({ type: "request", id: 3, url: origin });
    assertEquals(crowd.code, "too_many_in_flight");
    gate.resolve();
    const frames = [crowd, ...await client.take(2)];
    names.push(...frames.map(({ requestId }) => requestId));
    // What is no exchange has no name.
    for (const junk of ["junk", { type: "ping" }, { type: "unknown" }]) {
      assertFalse("requestId" in await client.ask(junk), JSON.stringify(junk));
    }
  }
  await service.logged("exchanged", () => namesIn(service).length === names.length);
  assertEquals(new Set(names).size, names.length);
  assertEquals(namesIn(service).toSorted(), names.toSorted());
  for (const line of service.log.filter(({ event }) => event === "exchanged")) {
    assertEquals(line["requestId"], `${line["connection"]}-${line["exchange"]}`);
  }
});

Deno.test("the plain dialect has neither requestId nor timing; its exchanges are named in the log", async () => {
  await using upstream = startHttp(() => new Response("x"));
  await using service = startService();
  await using client = await connectPlain(service.url);
  const answers = [
    await client.ask({ url: upstream.origin, method: "GET" }),
    await client.ask({ id: 1, url: upstream.origin, method: "POST", data: { a: 1 } }),
    await client.ask({ id: "x", url: "http://10.0.0.1/", method: "GET" }),
    await client.ask({ id: "x", url: upstream.origin }),
  ];
  for (const answer of answers) {
    assertFalse("requestId" in answer || "timing" in answer, JSON.stringify(answer));
  }
  await service.logged("exchanged", () => namesIn(service).length === answers.length);
  assertEquals(new Set(namesIn(service)).size, answers.length);
  for (const name of namesIn(service)) assertMatch(String(name), /^[\w-]+$/);
});
