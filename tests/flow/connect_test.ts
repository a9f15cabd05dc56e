/**
 * Connecting to destinations: over TCP and TLS, to one of several addresses, in time, and shared.
 */
import { assert, assertEquals } from "@std/assert";
import { createResolver } from "../../src/policy/resolver.ts";
import { encodeBearerProtocol } from "../../src/protocol/handshake.ts";
import { startBlackHole } from "../helpers/black_hole.ts";
import { connect, connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, startHttp, startRaw } from "../helpers/upstream.ts";

const folder = new URL("../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, folder))
) as [string, string, string];
const SCHEMES = ["http", "https"] as const;
const HOSTS = { ALLOW_HOSTS: "127.0.0.0/8:*" };

type Scheme = typeof SCHEMES[number];

function startDestination(
  scheme: Scheme,
  handler: (request: Request) => Response | Promise<Response>,
  hostname = "127.0.0.1",
): HttpUpstream {
  return startHttp(handler, { hostname, ...(scheme === "https" && { cert, key }) });
}

/** Starts a service for which `localhost` has these addresses. */
function start(settings: Record<string, string>, ...addresses: readonly string[]): Service {
  const resolver = createResolver({ lookup: () => Promise.resolve(addresses) });
  return startService({ ...HOSTS, ...settings }, { resolver, caCerts: [ca] });
}

for (const scheme of SCHEMES) {
  Deno.test(`${scheme}: the first request tells how long connecting took, and the next uses the connection again`, async () => {
    await using destination = startDestination(scheme, () => new Response("ok"));
    await using service = start({}, "127.0.0.1");
    await using client = await connectV1(service.url);
    const url = `${scheme}://localhost:${destination.port}/`;
    const first = await client.ask({ type: "request", id: 1, url });
    const names = ["connectMs", ...(scheme === "https" ? ["tlsMs"] : [])];
    const times = (frame: Frame): string[] =>
      Object.keys(frame.timing).filter((name) => /connect|tls/.test(name));
    assertEquals([first.text, times(first)], ["ok", names]);
    const { queueMs, dnsMs, connectMs, tlsMs = 0, waitMs } = first.timing;
    assert(queueMs + dnsMs + connectMs + tlsMs <= waitMs + 0.003, JSON.stringify(first.timing));
    const again = await client.ask({ type: "request", id: 1, url });
    assertEquals([again.text, times(again)], ["ok", []]);
    const [line, next] = service.log.filter(({ event }) => event === "exchanged");
    const logged = [line?.["connectMs"], line?.["tlsMs"], next?.["connectMs"]];
    assertEquals(logged, [connectMs, first.timing.tlsMs, undefined]);
  });

  Deno.test(`${scheme}: the next address is tried while the first is silent`, async () => {
    await using destination = startDestination(scheme, () => new Response("ok"), "127.0.0.2");
    const { port } = destination;
    using _ = await startBlackHole({ hostname: "127.0.0.1", port });
    await using service = start({}, "127.0.0.1", "127.0.0.2");
    await using client = await connectV1(service.url);
    const url = `${scheme}://localhost:${port}/`;
    const { text, timing } = await client.ask({ type: "request", id: 1, url });
    assertEquals(text, "ok");
    // A second attempt begins after 250 ms; without it the first would take 10 s.
    assert(timing.connectMs >= 249 && timing.connectMs < 5000, JSON.stringify(timing));
  });

  Deno.test(`${scheme}: all addresses are silent: connection_timeout, and nothing was sent`, async () => {
    using one = await startBlackHole();
    using _ = await startBlackHole({ hostname: "127.0.0.2", port: one.port });
    await using service = start({ CONNECT_TIMEOUT_MS: "600" }, "127.0.0.1", "127.0.0.2");
    await using client = await connectV1(service.url);
    const url = `${scheme}://localhost:${one.port}/`;
    const from = performance.now();
    client.send({ type: "request", id: 1, method: "POST", url, text: "x" });
    client.send({ type: "request", id: 2, url });
    for (const frame of await client.take(2)) {
      const { code, sent, retryable } = frame;
      assertEquals([code, sent, retryable], ["connection_timeout", "no", true]);
    }
    assert(performance.now() - from >= 599);
  });

  Deno.test(`${scheme}: a request that is late, cancelled or drained while it connects was not sent`, async () => {
    using hole = await startBlackHole();
    await using service = start({}, "127.0.0.1");
    await using client = await connectV1(service.url);
    const url = `${scheme}://localhost:${hole.port}/`;
    const late = await client.ask({ type: "request", id: 1, url, timeoutMs: 50 });
    assertEquals([late.code, late.sent], ["connection_timeout", "no"]);
    client.send({ type: "request", id: 2, url });
    client.send({ type: "cancel", id: 2 });
    assertEquals(await client.ask({ type: "ping" }), { type: "pong" });
    client.send({ type: "request", id: 3, method: "POST", url, text: "x" });
    assertEquals(await client.ask({ type: "ping" }), { type: "pong" });
    const draining = service.app.drain();
    assertEquals((await client.next()).type, "goaway");
    const drained = await client.next();
    assertEquals([drained.id, drained.sent], [3, "no"]);
    await draining;
  });
}

Deno.test("a TLS handshake that is never answered ends in time", async () => {
  await using destination = startRaw((connection) => connection.peerClosed());
  await using service = start({ CONNECT_TIMEOUT_MS: "100" }, "127.0.0.1");
  await using client = await connectV1(service.url);
  const url = `https://localhost:${destination.port}/`;
  const { code, sent, message } = await client.ask({ type: "request", id: 1, url });
  assertEquals([code, sent], ["connection_timeout", "no"]);
  assert(/TLS handshake/.test(message), message);
});

Deno.test("https: a host gets no more connections than HOST_CONNECTIONS, and every request is answered", async () => {
  let open = 0;
  let most = 0;
  await using destination = startDestination("https", async () => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 1)); // so that requests overlap
    open--;
    return new Response("ok");
  });
  await using service = start({ HOST_CONNECTIONS: "3" }, "127.0.0.1");
  await using client = await connectV1(service.url);
  const url = `https://localhost:${destination.port}/`;
  for (let id = 1; id <= 64; id++) client.send({ type: "request", id, url });
  const frames = await client.take(64);
  assertEquals(frames.filter(({ text }) => text === "ok").length, 64);
  assertEquals(most, 3);
});

Deno.test("https: a request that waits for a connection of a host that has enough is cancelled at once", async () => {
  const arrived = Promise.withResolvers<void>();
  await using destination = startDestination("https", () => {
    arrived.resolve();
    return new Promise(() => {});
  });
  await using service = start({ HOST_CONNECTIONS: "1" }, "127.0.0.1");
  await using client = await connectV1(service.url);
  const url = `https://localhost:${destination.port}/`;
  client.send({ type: "request", id: 1, url });
  await arrived.promise;
  const late = await client.ask({ type: "request", id: 2, url, timeoutMs: 30 });
  assertEquals([late.code, late.sent], ["connection_timeout", "no"]);
});

Deno.test("https: no identity takes all connections of a host", async () => {
  let open = 0;
  const full = Promise.withResolvers<void>();
  await using destination = startDestination("https", ({ url }) => {
    if (url.endsWith("/quick")) return new Response("ok");
    if (++open === 3) full.resolve();
    return new Promise(() => {});
  });
  await using service = startService({
    ...LOOPBACK,
    HOST_CONNECTIONS: "4",
    AUTH_TOKENS: "alice:token-of-alice-1,bob:token-of-bob-1",
  }, { caCerts: [ca] });
  const connectAs = (token: string): Promise<TestClient> =>
    connect(service.url, ["wsfetch.v1", encodeBearerProtocol(token)]);
  await using alice = await connectAs("token-of-alice-1");
  await using bob = await connectAs("token-of-bob-1");
  for (const client of [alice, bob]) assertEquals((await client.next()).type, "hello");
  const url = `https://localhost:${destination.port}/`;
  for (let id = 1; id <= 10; id++) alice.send({ type: "request", id, url });
  await full.promise;
  assertEquals((await bob.ask({ type: "request", id: 1, url: `${url}quick` })).text, "ok");
  assertEquals(open, 3);
});

Deno.test("https: a host that no certificate can name leaves no connection behind", async () => {
  const closed = Promise.withResolvers<void>();
  await using destination = startRaw(async (connection) => {
    await connection.peerClosed();
    closed.resolve();
  });
  const resolver = createResolver({ lookup: () => Promise.resolve(["127.0.0.1"]) });
  await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*" }, { resolver });
  await using client = await connectV1(service.url);
  const url = `https://a*b.example.com:${destination.port}/`;
  const { code, sent } = await client.ask({ type: "request", id: 1, url });
  assertEquals([code, sent], ["tls_protocol_error", "no"]);
  await closed.promise;
});

Deno.test("https: the next address is tried first once a handshake has failed at the first", async () => {
  await using destination = startDestination("https", () => new Response("ok"), "127.0.0.2");
  const { port } = destination;
  using silent = Deno.listen({ hostname: "127.0.0.1", port });
  await using service = start({ CONNECT_TIMEOUT_MS: "300" }, "127.0.0.1", "127.0.0.2");
  await using client = await connectV1(service.url);
  const url = `https://localhost:${port}/`;
  const first = await client.ask({ type: "request", id: 1, url });
  assertEquals([first.code, first.sent], ["connection_timeout", "no"]);
  assertEquals((await client.ask({ type: "request", id: 1, url })).text, "ok");
  (await silent.accept()).close();
});

Deno.test("https: an upstream has its own authority and its own client certificate, from files", async () => {
  const { createServer } = await import("node:https");
  const options = { cert, key, ca, requestCert: true, rejectUnauthorized: true };
  const server = createServer(options, (_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const path = (name: string): string => new URL(name, folder).pathname;
  const tls = {
    ca: path("ca.pem"),
    cert: path("localhost.pem"),
    key: "${env:KEY}",
  };
  const baseUrl = `https://localhost:${port}`;
  const UPSTREAMS = JSON.stringify({
    both: { baseUrl, tls },
    server: { baseUrl, tls: { ca: tls.ca } },
    none: { baseUrl },
    fetched: { baseUrl, tls, client: "fetch" },
  });
  const sources = { env: () => key, readText: (file: string) => Deno.readTextFileSync(file) };
  await using service = startService({ ...LOOPBACK, UPSTREAMS }, { sources });
  await using client = await connectV1(service.url);
  const ask = async (url: string): Promise<unknown> => {
    const { text, code } = await client.ask({ type: "request", id: 1, url });
    return text ?? code;
  };
  assertEquals(await ask("both:/"), "ok");
  assertEquals(await ask("both:/"), "ok");
  assertEquals(await ask("server:/"), "tls_protocol_error");
  assertEquals(await ask("none:/"), "tls_certificate_error");
  await new Promise((resolve) => server.close(resolve));
});
