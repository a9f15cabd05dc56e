import { assert, assertEquals } from "@std/assert";
import { connect, connectPlain, connectV1 } from "../helpers/client.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";

interface Case {
  readonly name: string;
  readonly headers: Record<string, string | undefined>;
  readonly status: number;
  readonly code?: string;
  /** Part of the response's head. */
  readonly head?: string;
}

const HANDSHAKES: readonly Case[] = [
  { name: "right", headers: {}, status: 101 },
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
  Deno.test(`a handshake ${name} is answered with ${status}`, async () => {
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
  await using service = startService({ ...LOOPBACK, MAX_CONNECTIONS: "2" });
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

Deno.test("hello is the first frame of wsfetch.v1, and the plain dialect has none", async () => {
  await using service = startService({ ...LOOPBACK, MAX_IN_FLIGHT: "7" });
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
    },
  });
  assert(/^wsfetch\/\d+\.\d+\.\d+$/.test(hello.server));
  await using plain = await connectPlain(service.url);
  assertEquals((await plain.ask("junk")).code, "bad_frame");
});

Deno.test("connect and disconnect are one line each", async () => {
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
