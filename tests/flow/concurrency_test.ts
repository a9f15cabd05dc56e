import { assertEquals } from "@std/assert";
import { connect, connectPlain, connectV1 } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp, startRaw } from "../helpers/upstream.ts";

Deno.test("two requests are answered in the order in which their answers come", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(async ({ url }) => {
    if (url.endsWith("/late")) await gate.promise;
    return new Response(new URL(url).pathname);
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: `${upstream.origin}/late` });
  client.send({ type: "request", id: 2, url: `${upstream.origin}/early` });
  const first = await client.next();
  gate.resolve();
  const second = await client.next();
  assertEquals([[first.id, first.text], [second.id, second.text]], [[2, "/early"], [1, "/late"]]);
});

Deno.test("what is sent before hello is served", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  await using service = startService();
  await using client = await connect(service.url, ["wsfetch.v1"]);
  client.send({ type: "request", id: 1, url: upstream.origin });
  const [hello, response] = await client.take(2);
  assertEquals([hello.type, response.type], ["hello", "response"]);
  assertEquals(Object.keys(hello.limits).sort(), [
    "maxConnections",
    "maxFrameBytes",
    "maxInFlight",
    "maxKeptBytes",
    "maxRequestBytes",
    "maxResponseBytes",
    "maxTimeoutMs",
    "windowBytes",
  ]);
});

Deno.test("cancel aborts the upstream request, and nothing more is sent for the id", async () => {
  const came = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    came.resolve();
    await connection.peerClosed();
    left.resolve();
    connection.close();
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin });
  await came.promise;
  client.send({ type: "cancel", id: 1 });
  await left.promise;
  assertEquals(await client.ask({ type: "ping" }), { type: "pong" });
  const line = await service.logged("exchanged");
  assertEquals([line.outcome, line.code, line.status], ["cancelled", undefined, undefined]);
});

Deno.test("a cancel that crosses the answer, or names no exchange, is ignored", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  await using service = startService();
  await using client = await connectV1(service.url);
  const response = await client.ask({ type: "request", id: 1, url: upstream.origin });
  assertEquals(response.text, "ok");
  client.send({ type: "cancel", id: 1 });
  client.send({ type: "cancel", id: 99 });
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("an id may be used again after its answer, and after its cancel", async () => {
  const came = Promise.withResolvers<void>();
  await using upstream = startHttp(async ({ url }) => {
    if (!url.endsWith("/never")) return new Response("again");
    came.resolve();
    return await new Promise<Response>(() => {});
  });
  await using service = startService();
  await using client = await connectV1(service.url);
  assertEquals((await client.ask({ type: "request", id: 1, url: upstream.origin })).text, "again");
  client.send({ type: "request", id: 1, url: `${upstream.origin}/never` });
  await came.promise;
  client.send({ type: "cancel", id: 1 });
  assertEquals((await client.ask({ type: "request", id: 1, url: upstream.origin })).text, "again");
});

Deno.test("an id that is in flight closes the connection with 4509", async () => {
  await using upstream = startHttp(() => new Promise<Response>(() => {}));
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin });
  client.send({ type: "request", id: 1, url: upstream.origin });
  assertEquals(await client.closed, { code: 4509, reason: "An id was used while in flight" });
  const line = await service.logged("disconnected");
  assertEquals([line.code, line.closedBy, line.exchanges], [4509, "server", 1]);
});

Deno.test("one exchange too many is refused, and its connection goes on", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = startHttp(async () => {
    await gate.promise;
    return new Response("ok");
  });
  await using service = startService({ ...LOOPBACK, MAX_IN_FLIGHT: "2" });
  await using client = await connectV1(service.url);
  for (const id of [1, 2, 3]) client.send({ type: "request", id, url: upstream.origin });
  const refused = await client.next();
  assertEquals([refused.id, refused.code, refused.sent, refused.retryable], [
    3,
    "too_many_in_flight",
    "no",
    true,
  ]);
  gate.resolve();
  const answered = await client.take(2);
  assertEquals(answered.map(({ id }) => id).sort(), [1, 2]);
  assertEquals((await client.ask({ type: "request", id: 3, url: upstream.origin })).text, "ok");
});

Deno.test("however many requests there are, none waits for the answer to another", async () => {
  const connections = 6;
  const each = 50;
  const all = Promise.withResolvers<void>();
  let asked = 0;
  await using upstream = startHttp(async () => {
    if (++asked === connections * each) all.resolve();
    await all.promise;
    return new Response("ok");
  });
  await using service = startService();
  await using stack = new AsyncDisposableStack();
  const texts = await Promise.all(Array.from({ length: connections }, async () => {
    const client = stack.use(await connectV1(service.url));
    for (let id = 1; id <= each; id++) client.send({ type: "request", id, url: upstream.origin });
    return (await client.take(each)).map(({ text }) => text);
  }));
  assertEquals(texts.flat(), Array(connections * each).fill("ok"));
});

Deno.test("in the plain dialect ids come back as they were, and may repeat", async () => {
  await using upstream = startHttp(() => new Response("ok"));
  await using service = startService();
  await using client = await connectPlain(service.url);
  for (const id of ["1.0", '"a\\u0062"', "12345678901234567890", "-0"]) {
    for (let times = 0; times < 2; times++) {
      client.send(`{"id":${id},"url":"${upstream.origin}","method":"GET"}`);
    }
    for (let times = 0; times < 2; times++) {
      assertEquals((await client.nextText()).startsWith(`{"id":${id},"status_code":200,`), true);
    }
  }
});

Deno.test("malformed frames are answered, and the sixteenth closes the connection with 4500", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  const junk = ["", "{", "[]", "null", '"x"', "{}", '{"type":"nope"}', new Uint8Array([1, 2])];
  for (const frame of [...junk, ...junk]) {
    const error = await client.ask(frame);
    assertEquals([error.type, error.id, error.code], ["error", undefined, "bad_frame"]);
  }
  assertEquals(await client.closed, {
    code: 4500,
    reason: "Too many malformed or needless frames",
  });
});

Deno.test("bad requests do not count as malformed frames", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  for (let id = 1; id <= 20; id++) {
    const error = await client.ask({ type: "request", id, url: "/relative" });
    assertEquals([error.id, error.code], [id, "bad_request"]);
  }
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("errors without an id that are no bad_frame do not count as malformed frames", async () => {
  await using service = startService({ ...LOOPBACK, MAX_FRAME_BYTES: "1024" });
  await using client = await connectV1(service.url);
  const frames = [
    [{ type: "cancel" }, "bad_request"],
    [{ type: "ping", data: "x".repeat(1024) }, "frame_too_large"],
  ] as const;
  for (const [frame, expected] of frames) {
    for (let count = 0; count < 16; count++) {
      const { id, code } = await client.ask(frame);
      assertEquals([id, code], [undefined, expected]);
    }
  }
  for (let count = 0; count < 15; count++) await client.ask("{");
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
  assertEquals((await client.ask("{")).code, "bad_frame");
  assertEquals((await client.closed).code, 4500);
});

Deno.test("a binary chunk for an exchange that is not in flight is ignored", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  client.send(new Uint8Array([0, 0, 0, 1, 1, 65]));
  assertEquals((await client.ask({ type: "ping", data: "x" })).data, "x");
});

Deno.test("a malformed request that has an id is an exchange in the log", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  await client.ask({ type: "request", id: 4 });
  const { id, exchange, outcome, code } = await service.logged("exchanged");
  assertEquals([id, exchange, outcome, code], [4, 1, "error", "bad_request"]);
});
