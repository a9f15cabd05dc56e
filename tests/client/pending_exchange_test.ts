import { assertEquals } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { failureOf } from "./rejections.ts";

const URL_A = "http://upstream.example/a";
const URL_B = "http://upstream.example/b";

Deno.test("lose() rejects an exchange that may have been sent, and does not send it again", async () => {
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
  Deno.test(`retry: true ${again ? "sends" : "does not send"} ${name} again`, async () => {
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

Deno.test("retry: true does not send an exchange again whose response has begun", async () => {
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

for (const order of ["before", "after"]) {
  Deno.test(`a request refused with draining, ${order} goaway, is sent on the next connection`, async () => {
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

Deno.test("a request that a drain has interrupted is not sent again", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const call = failureOf(client.fetch(URL_A));
  const first = await server.accept();
  const { id } = await first.next();
  first.send({ type: "error", id, code: "draining", message: "", retryable: true, sent: "maybe" });
  const error = await call;
  assertEquals([error.code, error.sent], ["draining", "maybe"]);
});

Deno.test("a request that every connection refuses with draining fails eventually", async () => {
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

Deno.test("a request refused with too_many_in_flight is sent again later", async () => {
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

Deno.test("begin() refuses a timeoutMs above the limit of the server", async () => {
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

Deno.test("begin() refuses a URL and headers that exceed maxFrameBytes", async () => {
  await using server = startFakeServer({ hello: { maxFrameBytes: 2000 } });
  await using client = createClient(server.url);
  const init = { headers: { x: "y".repeat(5000) } };
  assertEquals((await failureOf(client.fetch(URL_A, init))).code, "frame_too_large");
});
