import { assert, assertEquals, fail } from "@std/assert";
import type { Authenticator, Identity } from "../../src/auth/authenticator.ts";
import { createLimiter, isLimitExceeded, type Limiter } from "../../src/limits/limiter.ts";
import {
  type ConnectionPlaces,
  createConnectionPlaces,
} from "../../src/limits/connection_places.ts";
import { connect, connectPlain, connectV1 } from "../helpers/client.ts";
import { NO_LIMITS } from "../helpers/limits.ts";
import { connectRaw, HANDSHAKE } from "../helpers/raw_client.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { latin1 } from "../helpers/upstream.ts";

interface Case {
  readonly name: string;
  readonly headers: Record<string, string | undefined>;
  readonly status: number;
  readonly code?: string;
  /** Part of the response's head. */
  readonly head?: string;
}

const HANDSHAKES: readonly Case[] = [
  { name: "that is valid", headers: {}, status: 101 },
  {
    name: "without an upgrade",
    headers: { upgrade: undefined },
    status: 426,
    head: "upgrade: websocket",
  },
  {
    name: "to another protocol",
    headers: { upgrade: "h2c" },
    status: 426,
    code: "upgrade_required",
  },
  { name: "without a connection option", headers: { connection: "keep-alive" }, status: 426 },
  { name: "with other connection options", headers: { connection: "x, upgrade" }, status: 101 },
  { name: "among other protocols", headers: { upgrade: "foo, WebSocket" }, status: 101 },
  {
    name: "of an old version",
    headers: { "sec-websocket-version": "8" },
    status: 426,
    head: "sec-websocket-version: 13",
  },
  { name: "without a version", headers: { "sec-websocket-version": undefined }, status: 426 },
  {
    name: "without a key",
    headers: { "sec-websocket-key": undefined },
    status: 400,
    code: "bad_handshake",
  },
  { name: "with a short key", headers: { "sec-websocket-key": "c2hvcnQ=" }, status: 400 },
  {
    name: "for wsfetch.v1",
    headers: { "sec-websocket-protocol": "wsfetch.v1" },
    status: 101,
    head: "sec-websocket-protocol: wsfetch.v1",
  },
  {
    name: "for wsfetch.v1 among others",
    headers: { "sec-websocket-protocol": "x,wsfetch.v1 , y" },
    status: 101,
    head: "sec-websocket-protocol: wsfetch.v1\r\n",
  },
  {
    name: "for unknown subprotocols only",
    headers: { "sec-websocket-protocol": "wsfetch.v9, WSFETCH.V1" },
    status: 400,
    code: "bad_handshake",
  },
  { name: "from the same origin", headers: { origin: "http://127.0.0.1" }, status: 101 },
  {
    name: "from a foreign page",
    headers: { origin: "https://evil.example" },
    status: 403,
    code: "origin_not_allowed",
  },
  { name: "from an opaque origin", headers: { origin: "null" }, status: 403 },
  { name: "from a listed origin", headers: { origin: "https://app.example.com" }, status: 101 },
];

for (const { name, headers, status, code, head } of HANDSHAKES) {
  Deno.test(`a handshake ${name} has the response ${status}`, async () => {
    await using service = startService({ ALLOWED_ORIGINS: "https://app.example.com" });
    using client = await connectRaw(service.port, headers);
    assert(client.answer.startsWith(`HTTP/1.1 ${status} `), client.answer);
    if (head !== undefined) assert(client.answer.toLowerCase().includes(head), client.answer);
    if (status === 101) return;
    const line = await service.logged("refused");
    assertEquals([line.client, line.status], ["127.0.0.1", status]);
    if (code !== undefined) assert(client.answer.includes(`{"error":{"code":"${code}"`));
  });
}

Deno.test("one connection too many is refused with 429 and Retry-After, until one closes", async () => {
  await using service = startService({ ...LOOPBACK, MAX_CONNECTIONS: "2", LIMIT_CONNECTIONS: "0" });
  await using _first = await connectV1(service.url);
  {
    await using _second = await connectPlain(service.url);
    using third = await connectRaw(service.port);
    assert(third.answer.startsWith("HTTP/1.1 429 "));
    assert(/retry-after: \d+/i.test(third.answer));
    assert(third.answer.includes("too_many_connections"));
  }
  await service.logged("disconnected");
  await using again = await connectPlain(service.url);
  assertEquals(again.webSocket.readyState, WebSocket.OPEN);
});

Deno.test("hello is the first frame of wsfetch.v1, and the plain dialect has no hello", async () => {
  await using service = startService({
    ...LOOPBACK,
    MAX_IN_FLIGHT: "7",
    MEMORY_BYTES: String(2 ** 30),
  });
  await using v1 = await connect(service.url, ["wsfetch.v1"]);
  const hello = await v1.next();
  const { connection } = await service.logged("connected");
  assertEquals(hello, {
    type: "hello",
    protocol: "wsfetch.v1",
    server: hello.server,
    connection,
    identity: null,
    expiresAt: null,
    upstreams: [],
    limits: {
      maxFrameBytes: 1048576,
      maxInFlight: 7,
      maxRequestBytes: 1048576,
      maxResponseBytes: 8388608,
      maxTimeoutMs: 300000,
      windowBytes: 262144,
      maxKeptBytes: 162_179_754,
      maxConnections: 2500,
    },
  });
  assert(/^wsfetch\/\d+\.\d+\.\d+$/.test(hello.server));
  await using plain = await connectPlain(service.url);
  assertEquals((await plain.ask("junk")).code, "bad_frame");
});

Deno.test("the log has one line for the start and one for the end of a connection", async () => {
  await using service = startService();
  {
    await using _client = await connectV1(service.url);
  }
  const { connection } = await service.logged("disconnected");
  assertEquals(
    service.log.map((line) => [line.event, line.connection]),
    [["connected", connection], ["disconnected", connection]],
  );
});

/** An authenticator that waits until a test lets it go on. */
interface WaitingAuthenticator extends Authenticator {
  /** Fulfils when a credential is being checked. */
  readonly asked: Promise<void>;
  /** Accepts the credential. */
  accept(): void;
}

function createWaitingAuthenticator(): WaitingAuthenticator {
  const asked = Promise.withResolvers<void>();
  const accepted = Promise.withResolvers<void>();
  return {
    asked: asked.promise,
    accept: accepted.resolve,
    async authenticate(): Promise<Identity> {
      asked.resolve();
      await accepted.promise;
      return { subject: "alice" };
    },
  };
}

const CREDENTIAL = { authorization: "Bearer token" };

/** A limiter of one connection for each identity. */
function limitOne(): Limiter {
  return createLimiter({ ...NO_LIMITS, maxConnections: 1 }, () => fail("no store is needed"));
}

/** Events while a credential is checked, by the code of the refusal that they cause. */
const MEANWHILE: Record<string, (server: TestServer, places: ConnectionPlaces) => void> = {
  draining: ({ drain }) => void drain.start(),
  too_many_connections: (_server, places) => void places.take(),
};

for (const [code, change] of Object.entries(MEANWHILE)) {
  Deno.test(`createUpgrade() refuses a client with ${code} after its credential was checked`, async () => {
    const authenticator = createWaitingAuthenticator();
    const limiter = limitOne();
    const places = createConnectionPlaces(1);
    await using server = startServer({ authenticator, limiter, places });
    const connecting = connectRaw(server.port, CREDENTIAL);
    await authenticator.asked;
    change(server, places);
    authenticator.accept();
    using client = await connecting;
    assert(client.answer.includes(`{"error":{"code":"${code}"`), client.answer);
    assertEquals((await server.log.logged("refused")).code, code);
    assert(!isLimitExceeded(limiter.admitConnection("identity:alice")), "the place was given back");
  });
}

Deno.test("createUpgrade() refuses a client that disconnects while its credential is checked", async () => {
  const authenticator = createWaitingAuthenticator();
  const limiter = limitOne();
  const places = createConnectionPlaces(1);
  await using server = startServer({
    authenticator,
    authenticationMayWait: true,
    limiter,
    places,
  });
  const client = await Deno.connect({ port: server.port, hostname: "127.0.0.1" });
  const fields = Object.entries({ ...HANDSHAKE, ...CREDENTIAL })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  await client.write(latin1(`GET /ws HTTP/1.1\r\n${fields.join("")}\r\n`));
  await authenticator.asked;
  client.close();
  // When this request has a response, the server has seen the end of the other connection.
  assertEquals((await (await fetch(`${server.origin}/healthz`)).json()).status, "alive");
  authenticator.accept();
  const { code, reason } = await server.log.logged("refused");
  assertEquals([code, reason], ["bad_handshake", "The client disconnected before it was admitted"]);
  assert(!isLimitExceeded(limiter.admitConnection("identity:alice")), "the place was given back");
  assert(!places.isFull);
});
