import { assert, assertEquals } from "@std/assert";
import { createResolver } from "../../src/policy/resolver.ts";
import { connectPlain, connectV1 } from "../helpers/client.ts";
import { closeFrame, connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { type RawUpstream, startHttp, startRaw } from "../helpers/upstream.ts";

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

/** How far an exchange has come when the grace of a drain ends, and what its error says of the request then. */
const STAGES = [
  { name: "a host that is looked up", path: "lookup", stream: false, sent: "no" },
  { name: "a response that has not begun", path: "silent", stream: false, sent: "maybe" },
  { name: "a body that is read whole", path: "half", stream: false, sent: "yes" },
  { name: "a body that is streamed", path: "half", stream: true, sent: "yes" },
  { name: "a redirect to a response that has not begun", path: "away", stream: false, sent: "yes" },
  { name: "a redirect to a host that is looked up", path: "afar", stream: false, sent: "yes" },
] as const;

/** Answers by the path of a request; tells when the exchange has come as far as it will. */
function startStages(arrived: () => void): RawUpstream {
  return startRaw(async (connection) => {
    const head = await connection.readHead();
    const [, path] = /^\w+ \/(\w+)/.exec(head) ?? [];
    if (path === "away" || path === "afar") {
      const location = path === "away" ? "/silent" : "http://lookup.test/";
      await connection.write(
        `HTTP/1.1 307 Moved\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`,
      );
      if (path === "away") await connection.readHead();
    }
    if (path === "half") {
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhalf");
    }
    if (path === "quick") await connection.write("HTTP/1.1 204 No Content\r\n\r\n");
    else if (path !== "afar") arrived();
    await connection.peerClosed();
    connection.close();
  });
}

for (const { name, path, stream, sent } of STAGES) {
  for (const method of ["GET", "POST"]) {
    Deno.test(`the end of the grace says sent: "${sent}" of a ${method} for ${name}`, async () => {
      const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
      await using upstream = startStages(arrive);
      const lookup = (): Promise<never> => {
        arrive();
        return new Promise(() => {});
      };
      await using service = startService(
        { ALLOW_HOSTS: "127.0.0.1:*,lookup.test:*", DRAIN_MS: "20" },
        { resolver: createResolver({ lookup }) },
      );
      await using client = await connectV1(service.url);
      const url = path === "lookup" ? "http://lookup.test/" : `${upstream.origin}/${path}`;
      client.send({ type: "request", id: 1, method, url, stream });
      await arrived;
      if (path === "half" && stream) await client.take(2); // its head and its half
      if (path === "half" && !stream) {
        // Once a later response has arrived, so has the head of this one.
        await client.ask({ type: "request", id: 2, url: `${upstream.origin}/quick` });
      }
      await service.app.drain();
      const [goaway, error] = await client.take(2);
      assertEquals(goaway.type, "goaway");
      assertEquals([error.id, error.code, error.sent, error.retryable], [
        1,
        "draining",
        sent,
        sent === "no" || method === "GET",
      ]);
      assertEquals((await client.closed).code, 1001);
    });
  }
}

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
