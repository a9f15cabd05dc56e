import { assertEquals, assertStringIncludes } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { createFakeTimers } from "./fake_timers.ts";
import { failureOf } from "./failures.ts";
import { becomes } from "./states.ts";

const URL_A = "http://upstream.example/a";
const URL_B = "http://upstream.example/b";

Deno.test("a client connects on first use, and keeps the connection", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  assertEquals([client.state.type, server.handshakes()], ["idle", 0]);
  const first = client.fetch(URL_A);
  const connection = await server.accept();
  assertEquals((await connection.next()).id, 1);
  connection.respond(1, "a");
  assertEquals(await (await first).text(), "a");
  const second = client.fetch(URL_B);
  assertEquals((await connection.next()).id, 2);
  connection.respond(2, "b");
  assertEquals(await (await second).text(), "b");
  assertEquals([client.state.type, server.handshakes()], ["open", 1]);
});

Deno.test("a client offers its token beside the protocol", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, { token: "é~/?" });
  const call = client.fetch(URL_A);
  const connection = await server.accept();
  assertEquals(connection.offered, ["wsfetch.v1", "bearer.w6l-Lz8"]);
  connection.respond((await connection.next()).id, "");
  await call;
});

Deno.test("a client asks for a token at each connect", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  let asked = 0;
  const token = (): Promise<string> => Promise.resolve(`t${++asked}`);
  await using client = createClient(server.url, { token }, { timers, random: () => 0 });
  for (const offered of ["bearer.dDE", "bearer.dDI"]) {
    const call = client.fetch(URL_A);
    const connection = await server.accept();
    assertEquals(connection.offered[1], offered);
    connection.respond((await connection.next()).id, "");
    await call;
    const idle = becomes(client, "idle");
    connection.close(1001);
    await idle;
  }
});

Deno.test("a token that cannot be had fails the call in the end, with the cause", async () => {
  await using server = startFakeServer();
  const token = (): Promise<string> => Promise.reject(new Error("no token"));
  const options = { token, backoff: { attempts: 1 } };
  await using client = createClient(server.url, options);
  const error = await failureOf(client.fetch(URL_A));
  assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "no", true]);
  assertEquals(String(error.cause), "Error: no token");
});

Deno.test("backoff grows with full jitter, and ends after the attempts", async () => {
  await using server = startFakeServer({ refuse: () => 503 });
  const timers = createFakeTimers();
  await using client = createClient(
    server.url,
    { backoff: { minDelayMs: 100, maxDelayMs: 300, attempts: 4 } },
    { timers, random: () => 0.5 },
  );
  const call = failureOf(client.fetch(URL_A));
  const delays: number[] = [];
  for (let attempt = 1; attempt < 4; attempt++) {
    const { delayMs } = await becomes(client, "waiting");
    delays.push(delayMs);
    timers.advance(delayMs);
  }
  assertEquals(delays, [50, 100, 150]);
  const error = await call;
  assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "no", true]);
  assertEquals([server.handshakes(), client.state.type], [4, "idle"]);
});

Deno.test("what was not sent goes on the next connection", async () => {
  await using server = startFakeServer({ refuse: (handshake) => handshake < 2 ? 503 : undefined });
  await using client = createClient(server.url, {}, { random: () => 0 });
  const call = client.fetch(URL_A, { method: "POST", body: "once" });
  const connection = await server.accept();
  const { id, text } = await connection.next();
  assertEquals([text, server.handshakes()], ["once", 3]);
  connection.respond(id, "done");
  assertEquals(await (await call).text(), "done");
});

Deno.test("what may have been sent is rejected when the connection breaks, and not sent again", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { random: () => 0 });
  const get = failureOf(client.fetch(URL_A));
  const post = failureOf(client.fetch(URL_B, { method: "POST" }));
  const first = await server.accept();
  await first.next();
  await first.next();
  first.close(1011);
  const [ofGet, ofPost] = await Promise.all([get, post]);
  assertEquals([ofGet.code, ofGet.sent, ofGet.retryable], ["connection_terminated", "maybe", true]);
  assertEquals([ofPost.sent, ofPost.retryable], ["maybe", false]);
  const next = client.fetch(URL_B);
  const second = await server.accept();
  const { id, url } = await second.next();
  assertEquals(url, URL_B);
  second.respond(id, "");
  await next;
});

const RETRIES: readonly { name: string; init: RequestInit; again: boolean }[] = [
  { name: "GET", init: {}, again: true },
  { name: "PUT with a body in memory", init: { method: "PUT", body: "x" }, again: true },
  { name: "POST", init: { method: "POST", body: "x" }, again: false },
  {
    name: "PUT with a stream",
    init: { method: "PUT", body: new Blob(["x"]).stream() },
    again: false,
  },
];
for (const { name, init, again } of RETRIES) {
  Deno.test(`retry sends ${name} ${again ? "" : "not "}again`, async () => {
    await using server = startFakeServer();
    await using client = createClient(server.url, {}, { random: () => 0 });
    const call = client.fetch(URL_A, { ...init, wsfetch: { retry: true } });
    const first = await server.accept();
    const before = await first.next();
    if (!again) {
      first.close(1011);
      assertEquals((await failureOf(call)).sent, "maybe");
      return;
    }
    first.close(1011);
    const second = await server.accept();
    const after = await second.next();
    assertEquals(after, before);
    second.respond(after.id, "ok");
    assertEquals(await (await call).text(), "ok");
  });
}

Deno.test("retry does not send again what has begun to be answered", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { random: () => 0 });
  const call = client.fetch(URL_A, { wsfetch: { retry: true } });
  const connection = await server.accept();
  connection.stream((await connection.next()).id);
  const response = await call;
  connection.close(1011);
  const error = await failureOf(response.text());
  assertEquals([error.code, error.sent], ["connection_terminated", "yes"]);
  assertEquals(server.handshakes(), 1);
});

const CLOSE_CODES: readonly { code: number; again: boolean }[] = [
  { code: 1001, again: true },
  { code: 1011, again: true },
  { code: 4000, again: true },
  { code: 4029, again: true },
  { code: 4499, again: true },
  { code: 4500, again: false },
  { code: 4501, again: true },
  { code: 4502, again: false },
  { code: 4999, again: false },
];
for (const { code, again } of CLOSE_CODES) {
  Deno.test(`after the close code ${code} a client ${again ? "reconnects" : "fails for good"}`, async () => {
    await using server = startFakeServer({ hello: { maxInFlight: 1 } });
    await using client = createClient(server.url, {}, { random: () => 0 });
    const sent = failureOf(client.fetch(URL_A));
    const first = await server.accept();
    await first.next();
    const queued = client.fetch(URL_B, { headers: { x: "y".repeat(5000) } });
    if (again) {
      first.close(code, "because");
      assertEquals((await sent).sent, "maybe");
      const second = await server.accept();
      second.respond((await second.next()).id, "b");
      assertEquals(await (await queued).text(), "b");
      return;
    }
    const failed = becomes(client, "failed");
    const queuedFailure = failureOf(queued);
    first.close(code, "because");
    assertEquals([(await sent).sent, (await queuedFailure).sent], ["maybe", "no"]);
    assertEquals((await failed).code, code);
    const later = await failureOf(client.fetch(URL_A));
    assertStringIncludes(later.message, `${code} because`);
    assertEquals([later.retryable, later.sent, server.handshakes()], [false, "no", 1]);
  });
}

Deno.test("goaway opens the next connection at once, and the old one finishes", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const old = client.fetch(URL_A);
  const first = await server.accept();
  const { id } = await first.next();
  first.send({ type: "goaway", graceMs: 1000 });
  const second = await server.accept();
  const fresh = client.fetch(URL_B);
  const { id: freshId, url } = await second.next();
  assertEquals(url, URL_B);
  second.respond(freshId, "b");
  assertEquals(await (await fresh).text(), "b");
  first.respond(id, "a");
  assertEquals(await (await old).text(), "a");
  assertEquals((await first.closed).code, 1000);
  assertEquals(client.state.type, "open");
});

Deno.test("goaway to a client at rest closes the connection, and opens the next one at once", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const warm = client.fetch(URL_A);
  const first = await server.accept();
  first.respond((await first.next()).id, "");
  await warm;
  first.send({ type: "goaway", graceMs: 1000 });
  const second = await server.accept();
  assertEquals((await first.closed).code, 1000);
  const call = client.fetch(URL_B);
  second.respond((await second.next()).id, "b");
  assertEquals(await (await call).text(), "b");
});

for (const order of ["before", "after"]) {
  Deno.test(`a request refused as draining, ${order} goaway, goes on the next connection`, async () => {
    await using server = startFakeServer();
    await using client = createClient(server.url);
    const call = client.fetch(URL_A, { method: "POST", body: "x" });
    const first = await server.accept();
    const { id } = await first.next();
    const goaway = { type: "goaway", graceMs: 1000 };
    if (order === "after") first.send(goaway);
    first.send({ type: "error", id, code: "draining", message: "", retryable: true, sent: "no" });
    if (order === "before") first.send(goaway);
    const second = await server.accept();
    const again = await second.next();
    assertEquals(again.text, "x");
    second.respond(again.id, "ok");
    assertEquals(await (await call).text(), "ok");
  });
}

Deno.test("a request cut off by the drain is not sent again", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const call = failureOf(client.fetch(URL_A));
  const first = await server.accept();
  const { id } = await first.next();
  first.send({ type: "error", id, code: "draining", message: "", retryable: true, sent: "maybe" });
  const error = await call;
  assertEquals([error.code, error.sent], ["draining", "maybe"]);
});

Deno.test("a server that drains for ever is not asked for ever", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const call = failureOf(client.fetch(URL_A));
  const refuseAll = (async () => {
    for (let times = 0; times < 9; times++) {
      const connection = await server.accept();
      const { id } = await connection.next();
      connection.send({ type: "error", id, code: "draining", retryable: true, sent: "no" });
    }
  })();
  assertEquals((await call).code, "draining");
  await refuseAll;
});

Deno.test("a dead connection is found within the interval and the timeout", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  const options = { pingIntervalMs: 20_000, pongTimeoutMs: 10_000 };
  await using client = createClient(server.url, options, { timers });
  const call = failureOf(client.fetch(URL_A));
  const connection = await server.accept();
  await connection.next();
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  timers.advance(10_000);
  const error = await call;
  assertEquals([error.code, error.sent], ["connection_terminated", "maybe"]);
  assertStringIncludes(error.message, "does not answer");
});

Deno.test("a connection that answers pings lives, and is not pinged when nothing is in flight", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  await using client = createClient(server.url, {}, { timers });
  const call = client.fetch(URL_A);
  const connection = await server.accept();
  const { id } = await connection.next();
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  connection.send({ type: "pong" });
  connection.stream(id);
  const response = await call; // the pong has come before
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  connection.sendChunk(id, "x", true); // any frame will do
  assertEquals(await response.text(), "x");
  assertEquals(timers.delays(), []);
});

Deno.test("a connection that does not greet is given up", async () => {
  await using server = startFakeServer({ hello: false });
  const timers = createFakeTimers();
  const options = { connectTimeoutMs: 5_000, backoff: { attempts: 1 } };
  await using client = createClient(server.url, options, { timers });
  const call = failureOf(client.fetch(URL_A));
  const connection = await server.accept();
  await connection.next();
  timers.advance(5_000);
  assertEquals((await call).sent, "maybe");
});

Deno.test("small requests do not wait for hello, large ones and streams do", async () => {
  await using server = startFakeServer({ hello: false });
  await using client = createClient(server.url);
  const large = client.fetch(URL_A, { method: "POST", body: "l".repeat(10_000) });
  const stream = client.fetch(URL_A, { method: "POST", body: new Blob(["s"]).stream() });
  const small = client.fetch(URL_B);
  const connection = await server.accept();
  const first = await connection.next();
  assertEquals([first.url, first.id], [URL_B, 1]);
  connection.greet();
  const rest = [await connection.next(), await connection.next(), await connection.next()];
  assertEquals(rest.filter(({ type }) => type === "request").length, 2);
  for (const id of [1, 2, 3]) connection.respond(id, "");
  await Promise.all([large, stream, small]);
});

Deno.test("more exchanges than maxInFlight wait for their turn", async () => {
  await using server = startFakeServer({ hello: { maxInFlight: 2 } });
  await using client = createClient(server.url);
  const warm = client.fetch(URL_A);
  const connection = await server.accept();
  connection.respond((await connection.next()).id, "");
  await warm;
  const calls = ["1", "2", "3"].map((path) => client.fetch(`http://upstream.example/${path}`));
  const [first, second] = [await connection.next(), await connection.next()];
  connection.respond(first.id, "");
  const third = await connection.next(); // only now
  assertEquals(third.url, "http://upstream.example/3");
  connection.respond(second.id, "");
  connection.respond(third.id, "");
  await Promise.all(calls);
});

Deno.test("too_many_in_flight is waited out", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { random: () => 0 });
  const call = client.fetch(URL_A);
  const connection = await server.accept();
  const { id } = await connection.next();
  connection.send({ type: "error", id, code: "too_many_in_flight", retryable: true, sent: "no" });
  const again = await connection.next();
  assertEquals(again.type, "request");
  connection.respond(again.id, "ok");
  assertEquals(await (await call).text(), "ok");
});

Deno.test("timeoutMs above the limit is refused here", async () => {
  await using server = startFakeServer({ hello: { maxTimeoutMs: 1000 } });
  await using client = createClient(server.url);
  const warm = client.fetch(URL_A);
  const connection = await server.accept();
  connection.respond((await connection.next()).id, "");
  await warm;
  const error = await failureOf(client.fetch(URL_A, { wsfetch: { timeoutMs: 1001 } }));
  assertEquals([error.code, error.sent], ["bad_request", "no"]);
  const call = client.fetch(URL_A, { wsfetch: { timeoutMs: 1000 } });
  const { id, timeoutMs } = await connection.next();
  assertEquals(timeoutMs, 1000);
  connection.respond(id, "");
  await call;
});

Deno.test("a head that is larger than a frame may be is refused here", async () => {
  await using server = startFakeServer({ hello: { maxFrameBytes: 2000 } });
  await using client = createClient(server.url);
  const init = { headers: { x: "y".repeat(5000) } };
  assertEquals((await failureOf(client.fetch(URL_A, init))).code, "frame_too_large");
});

Deno.test("ids count up, wrap, and skip those in use", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { firstId: 4294967295 });
  const calls = [client.fetch(URL_A)];
  const connection = await server.accept();
  assertEquals((await connection.next()).id, 4294967295);
  calls.push(client.fetch(URL_A), client.fetch(URL_A));
  assertEquals([(await connection.next()).id, (await connection.next()).id], [1, 2]);
  for (const id of [1, 2, 4294967295]) connection.respond(id, "");
  await Promise.all(calls);
});

Deno.test("close() rejects what is in flight and what comes later, and closes", async () => {
  await using server = startFakeServer();
  const client = createClient(server.url);
  const waiting = failureOf(client.fetch(URL_A));
  const streaming = client.fetch(URL_B);
  const connection = await server.accept();
  await connection.next();
  connection.stream((await connection.next()).id);
  const body = failureOf((await streaming).text());
  await client.close();
  await client.close();
  assertEquals([(await waiting).sent, (await body).sent], ["maybe", "yes"]);
  assertEquals((await connection.closed).code, 1000);
  const later = await failureOf(client.fetch(URL_A));
  assertEquals([later.message, later.sent, later.retryable], ["The client is closed", "no", false]);
  assertEquals([client.state.type, server.handshakes()], ["closed", 1]);
});

Deno.test("close() of a client that was never used, or that is connecting, is done at once", async () => {
  await using server = startFakeServer();
  await createClient(server.url).close();
  const client = createClient(server.url);
  const call = failureOf(client.fetch(URL_A));
  while (client.state.type !== "connecting") await becomes(client, "connecting");
  await client.close();
  assertEquals((await call).sent, "no");
});
