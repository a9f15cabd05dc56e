import { assert, assertEquals } from "@std/assert";
import { connectPlain, connectV1 } from "../helpers/client.ts";
import { closeFrame, connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

const GRACE = { ...LOOPBACK, DRAIN_MS: "60000" };

Deno.test("a drain lets what is in flight finish, refuses what is new, and closes with 1001", async () => {
  const came = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const body = "x".repeat(2 * 1024 * 1024);
  await using upstream = startHttp(async () => {
    came.resolve();
    await gate.promise;
    return new Response(body);
  });
  await using service = startService(GRACE);
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin });
  await came.promise;

  const drained = service.app.drain();
  assertEquals(await client.next(), { type: "goaway", graceMs: 60000 });
  const refused = await client.ask({ type: "request", id: 2, url: upstream.origin });
  assertEquals([refused.id, refused.code, refused.sent, refused.retryable], [
    2,
    "draining",
    "no",
    true,
  ]);
  gate.resolve();
  const finished = await client.next();
  assert(finished.id === 1 && finished.text === body, "the answer in flight comes whole");
  assertEquals(await client.closed, { code: 1001, reason: "Going away" });
  await drained;
  assertEquals(upstream.requests.length, 1);
});

Deno.test("a drain closes idle connections at once, in both dialects", async () => {
  await using service = startService(GRACE);
  await using v1 = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  await service.logged("connected", ({ dialect }) => dialect === "plain");
  await service.app.drain();
  assertEquals((await v1.closed).code, 1001);
  assertEquals((await plain.closed).code, 1001);
});

Deno.test("what has not finished when the grace ends is told so", async () => {
  const came = Promise.withResolvers<void>();
  await using upstream = startHttp(() => {
    came.resolve();
    return new Promise<Response>(() => {});
  });
  await using service = startService({ ...LOOPBACK, DRAIN_MS: "20" });
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, method: "POST", url: upstream.origin });
  await came.promise;
  await service.app.drain();
  const [goaway, error] = await client.take(2);
  assertEquals(goaway.type, "goaway");
  assertEquals([error.id, error.code, error.sent, error.retryable], [
    1,
    "draining",
    "maybe",
    false,
  ]);
  assertEquals((await client.closed).code, 1001);
});

Deno.test("while it drains, the service is alive, not ready, and upgrades nobody", async () => {
  await using service = startService(GRACE);
  await service.app.drain();
  const alive = await fetch(`${service.origin}/healthz`);
  assertEquals([alive.status, await alive.json()], [200, { status: "alive" }]);
  const ready = await fetch(`${service.origin}/readyz`);
  assertEquals([ready.status, (await ready.json()).error.code], [503, "draining"]);
  using client = await connectRaw(service.port);
  assert(client.answer.startsWith("HTTP/1.1 503 "));
  assertEquals((await service.logged("refused")).code, "draining");
});

Deno.test("a client that does not read is not waited for when the grace ends", async () => {
  await using upstream = startHttp(() => new Response("x".repeat(1024 * 1024)));
  for (const requests of [1, 64]) {
    await using service = startService({ ...LOOPBACK, DRAIN_MS: "50", SEND_BUFFER_BYTES: "1024" });
    using client = await connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" });
    for (let id = 1; id <= requests; id++) {
      const frame = JSON.stringify({ type: "request", id, url: upstream.origin });
      await client.write(rawFrame(TEXT, frame));
    }
    await service.logged("decided", ({ exchange }) => exchange === requests);
    await service.app.drain();
    await client.readToEnd(closeFrame(1001, "Going away"));
  }
});
