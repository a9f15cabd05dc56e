/**
 * The client with a service that requires credentials, which expire, and with named upstreams.
 */
import { assert, assertEquals } from "@std/assert";
import { type Client, createClient } from "../../src/client/mod.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, startHttp } from "../helpers/upstream.ts";
import { failureOf, rejectionOf } from "./rejections.ts";
import { becomes } from "./states.ts";

const BACKOFF = { minDelayMs: 1, maxDelayMs: 1, attempts: 2 };
/** The lifetime of most credentials in these tests, in seconds. */
const SHORT = 0.6;

/** A service, its key server, and a destination that echoes: immediately, or at `/gated` after `open()`. */
interface World extends AsyncDisposable {
  readonly jwks: JwksServer;
  readonly service: Service;
  readonly upstream: HttpUpstream;
  /** Lets `/gated` respond. */
  readonly open: () => void;
}

async function startWorld(settings: Record<string, string> = {}): Promise<World> {
  const gate = Promise.withResolvers<void>();
  const jwks = await startJwks();
  const upstream = startHttp(async (request) => {
    if (request.url.endsWith("/gated")) await gate.promise;
    return new Response(`${request.method} ${await request.text()}`);
  });
  const service = startService({ ...LOOPBACK, JWT_JWKS_URL: jwks.url.href, ...settings });
  return {
    jwks,
    service,
    upstream,
    open: gate.resolve,
    async [Symbol.asyncDispose](): Promise<void> {
      gate.resolve();
      await service[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await jwks.close();
    },
  };
}

function signShort({ jwks }: World, seconds = SHORT): Promise<string> {
  return jwks.sign({ exp: Date.now() / 1000 + seconds });
}

function countOf({ log }: Service, event: string): number {
  return log.filter((line) => line.event === event).length;
}

/** Posts a body and asserts that the response repeats it. */
async function assertEchoed(client: Client, url: string, body: string): Promise<void> {
  const response = await client.fetch(url, { method: "POST", body });
  assertEquals([response.status, await response.text()], [200, `POST ${body}`]);
}

Deno.test("client.fetch() continues with a new token after the credential has expired", async () => {
  await using world = await startWorld();
  const { service, upstream } = world;
  let asked = 0;
  const token = (): Promise<string> => {
    asked++;
    return signShort(world);
  };
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  const early = client.fetch(`${upstream.origin}/gated`);
  let calls = 0;
  for (; asked < 3; calls++) await assertEchoed(client, upstream.origin, `body ${calls}`);
  await Promise.all(
    Array.from({ length: 10 }, (_, at) => assertEchoed(client, upstream.origin, `last ${at}`)),
  );
  world.open();
  assertEquals(await (await early).text(), "GET ");

  assert(calls > 3);
  assertEquals(upstream.requests.length, 1 + calls + 10, "no request was made twice");
  const [first] = service.log.filter(({ event }) => event === "connected");
  const gated = await service.logged("exchanged", ({ method }) => method === "GET");
  assertEquals([gated.connection, gated.outcome], [first?.connection, "response"]);
  const left = await service.logged(
    "disconnected",
    (line) => line.connection === first?.connection,
  );
  assertEquals(left.closedBy, "client");
});

Deno.test("calls that meet an expired credential together share one new connection", async () => {
  await using world = await startWorld();
  const { service, upstream } = world;
  let asked = 0;
  const token = (): Promise<string> => signShort(world, asked++ === 0 ? SHORT : 60);
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  while (asked < 2) {
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => assertEchoed(client, upstream.origin, String(at))),
    );
  }
  await assertEchoed(client, upstream.origin, "after");
  assertEquals([asked, countOf(service, "connected")], [2, 2]);
});

Deno.test("client.fetch() rejects with an expired token, without an endless loop", async () => {
  await using world = await startWorld();
  const { service, upstream, jwks } = world;
  const token = await jwks.sign({ exp: Math.floor(Date.now() / 1000) - 60 });
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  for (const attempts of [2, 3]) { // after the attempts of the first call, each call connects once
    const error = await failureOf(client.fetch(upstream.origin));
    assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "no", true]);
    assertEquals([countOf(service, "refused"), client.state.type], [attempts, "idle"]);
  }
  assertEquals([upstream.requests.length, countOf(service, "connected")], [0, 0]);
});

Deno.test("client.fetch() rejects when its only token expires, without an endless loop", async () => {
  await using world = await startWorld();
  const { service, upstream } = world;
  const token = await signShort(world);
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  let calls = 0;
  const error = await failureOf((async () => {
    for (;; calls++) await assertEchoed(client, upstream.origin, "body");
  })());
  assert(["unauthorized", "connection_terminated"].includes(error.code), error.code);
  assertEquals(error.sent, "no");
  assertEquals(upstream.requests.length, calls);
  assert(countOf(service, "connected") <= 10);
  assert(countOf(service, "refused") <= 2);
});

Deno.test("the client reconnects after 4501 on its next use", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "0" });
  const { service, upstream } = world;
  let asked = 0;
  const token = (): Promise<string> => signShort(world, asked++ === 0 ? SHORT : 60);
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  const idle = becomes(client, "idle");
  await assertEchoed(client, upstream.origin, "before");
  await service.logged("disconnected", ({ code }) => code === 4501);
  await idle;
  assertEquals([client.state.type, asked], ["idle", 1]);
  await assertEchoed(client, upstream.origin, "after");
  assertEquals([asked, countOf(service, "connected")], [2, 2]);
});

Deno.test("a failed token function rejects the call, and is called again by the next call", async () => {
  await using world = await startWorld();
  const { service, upstream, jwks } = world;
  const failure = new Error("The login has failed");
  let fails = true;
  const token = (): Promise<string> => fails ? Promise.reject(failure) : jwks.sign();
  await using client = createClient(service.url, { token, backoff: { ...BACKOFF, attempts: 1 } });
  const error = await failureOf(client.fetch(upstream.origin));
  assertEquals([error.code, error.sent, error.cause], ["connection_terminated", "no", failure]);
  fails = false;
  await assertEchoed(client, upstream.origin, "body");
});

Deno.test("a token function that returns undefined rejects the call if a credential is required", async () => {
  await using world = await startWorld();
  const { service, upstream } = world;
  const token = (): undefined => undefined;
  await using client = createClient(service.url, { token, backoff: BACKOFF });
  assertEquals((await failureOf(client.fetch(upstream.origin))).code, "connection_terminated");
  assertEquals(countOf(service, "refused"), 2);
});

Deno.test("client.fetch() requests paths of a named upstream", async () => {
  const key = "the-key-of-the-api";
  await using api = startHttp((request) =>
    request.url.endsWith("/v1/moved")
      ? new Response(null, { status: 302, headers: { location: "/v1/items?page=2" } })
      : Response.json({ url: request.url, isKnown: request.headers.get("x-key") === key })
  );
  const upstreams = { api: { baseUrl: `${api.origin}/v1`, headers: { "x-key": "${env:KEY}" } } };
  const sources = { env: () => key, readText: () => "" };
  await using service = startService({ UPSTREAMS: JSON.stringify(upstreams) }, { sources });
  await using client = createClient(service.url);
  for (
    const input of [
      "api:/items?page=2",
      new URL("api:/items?page=2"),
      new Request("api:/items?page=2"),
    ]
  ) {
    const response = await client.fetch(input);
    assertEquals([response.url, response.redirected], ["api:/items?page=2", false]);
    assertEquals(await response.json(), {
      url: `${api.origin}/v1/items?page=2`,
      isKnown: true,
    });
  }
  const moved = await client.fetch("api:/moved");
  assertEquals([moved.url, moved.redirected], ["api:/items?page=2", true]);
  await moved.body?.cancel();
  const unknown = await failureOf(client.fetch("other:/items"));
  assertEquals([unknown.code, unknown.sent], ["unknown_upstream", "no"]);
  assertEquals(api.requests.length, 5);
});

for (
  const url of [
    "file:///etc/hosts",
    "file:/etc/hosts",
    "data:text/plain,hello",
    "data:/text/plain,hello",
    "ftp://127.0.0.1/",
    "ftp:/127.0.0.1/",
    "ws://127.0.0.1/",
    "blob:http://127.0.0.1/8a6b1b7e-3f83-4a5e-9ad7-6a1f2e6bd1ff",
    "javascript:1",
    "about:blank",
    "api:items",
    "api://items",
    "/items",
  ]
) {
  Deno.test(`client.fetch() rejects ${url} with a TypeError`, async () => {
    await using api = startHttp(() => new Response("reached"));
    const upstreams = JSON.stringify({ api: api.origin });
    await using service = startService({ UPSTREAMS: upstreams, ...LOOPBACK });
    await using client = createClient(service.url);
    assert(await rejectionOf(client.fetch(url)) instanceof TypeError);
    assertEquals(await (await client.fetch("api:/items")).text(), "reached");
    assertEquals(api.requests.length, 1);
  });
}
