import { assert, assertEquals, assertIsError, fail } from "@std/assert";
import { abortable } from "@std/async/abortable";
import type { Connection } from "../../src/connection/connection.ts";
import { createSeats, type Seats } from "../../src/limits/seats.ts";
import type { Admitted } from "../../src/server/admission.ts";
import { createUpgrade, type UpgradeDeps, type UpgradeOptions } from "../../src/server/upgrade.ts";
import { connect, connectPlain, connectV1 } from "../helpers/client.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { createListener, type EventName } from "../telemetry/events.ts";

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

/** An upgrade behind a server of its own, which admits every client. */
interface TestUpgrade extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly upgrade: ReturnType<typeof createUpgrade>;
  /** The places of the service. */
  readonly seats: Seats;
  /** What telemetry was told. */
  readonly told: readonly (readonly [name: EventName, event: unknown])[];
  /** Whether a client has been admitted and holds its place. */
  readonly isHeld: () => boolean;
  /** Fulfils when a client has given its place back. */
  readonly given: Promise<void>;
}

/** What is not as usual. */
interface TestUpgradeOptions extends UpgradeOptions {
  /** Runs after an upgrade, before the response is sent. */
  readonly beforeResponse?: (test: TestUpgrade) => void | Promise<void>;
  /** Runs while a client is admitted. */
  readonly whileAdmitted?: (test: TestUpgrade) => void;
}

function startUpgrade(
  deps: Partial<UpgradeDeps>,
  { beforeResponse, whileAdmitted, ...options }: TestUpgradeOptions = {},
): TestUpgrade {
  const seats = deps.seats ?? createSeats(1);
  const told: (readonly [name: EventName, event: unknown])[] = [];
  const given = Promise.withResolvers<void>();
  let isHeld = false;

  function give(): void {
    isHeld = false;
    given.resolve();
  }

  function admit(): Promise<Admitted> {
    isHeld = true;
    whileAdmitted?.(test);
    const lease = { [Symbol.dispose]: give };
    return Promise.resolve({ identity: undefined, key: "address:x", lease });
  }

  const upgrade = createUpgrade(options, {
    isOriginAllowed: () => true,
    clientAddress: (_headers, address) => address,
    admit,
    openConnection: () => fail("no connection was to be opened"),
    isDraining: () => false,
    telemetry: createListener((name, event) => told.push([name, event])),
    ...deps,
    seats,
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request, info) => {
      const response = await upgrade(request, info);
      await beforeResponse?.(test);
      return response;
    },
  );
  const test: TestUpgrade = {
    port: server.addr.port,
    url: `ws://127.0.0.1:${server.addr.port}/ws`,
    upgrade,
    seats,
    told,
    isHeld: () => isHeld,
    given: given.promise,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return test;
}

/** A connection that records its calls. */
interface RecordedConnection extends Connection {
  readonly calls: readonly (readonly [name: string, argument: unknown])[];
  readonly received: Promise<void>;
}

function recordConnection(closed: () => void = () => {}): RecordedConnection {
  const calls: (readonly [name: string, argument: unknown])[] = [];
  const received = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  return {
    calls,
    received: received.promise,
    gone: gone.promise,
    inFlight: 0,
    receive(data): void {
      calls.push(["receive", data]);
      received.resolve();
    },
    closed(code): void {
      calls.push(["closed", code]);
      closed();
      gone.resolve();
    },
    drain: (graceMs) => void calls.push(["drain", graceMs]),
    expire: () => void calls.push(["expire", undefined]),
  };
}

// Fails a test that would wait for ever.
const MAX_WAIT_MS = 10_000;

function inTime<T>(promise: Promise<T>): Promise<T> {
  return abortable(promise, AbortSignal.timeout(MAX_WAIT_MS));
}

Deno.test("createUpgrade() looks at no credential when there is no place", async () => {
  const seats = createSeats(1);
  using _seat = seats.take();
  await using test = startUpgrade({ seats, admit: () => fail("a credential was looked at") });
  using client = await connectRaw(test.port);
  assert(client.answer.startsWith("HTTP/1.1 429 "), client.answer);
  assert(client.answer.includes("too_many_connections"), client.answer);
});

Deno.test("createUpgrade() gives the place back when the drain begins during admission", async () => {
  let draining = false;
  await using test = startUpgrade({ isDraining: () => draining }, {
    whileAdmitted: () => void (draining = true),
  });
  using client = await connectRaw(test.port);
  assert(client.answer.startsWith("HTTP/1.1 503 "), client.answer);
  assertEquals([test.isHeld(), test.seats.isFull], [false, false]);
});

Deno.test("createUpgrade() gives the place back when the service fills up during admission", async () => {
  using stack = new DisposableStack();
  await using test = startUpgrade({}, {
    whileAdmitted: ({ seats }) => void stack.use(seats.take()),
  });
  using client = await connectRaw(test.port);
  assert(client.answer.startsWith("HTTP/1.1 429 "), client.answer);
  assertEquals([test.isHeld(), test.seats.isFull], [false, true]);
  stack.dispose();
  assertEquals(test.seats.isFull, false);
});

Deno.test("createUpgrade() gives both places back when the upgrade fails", async () => {
  let upgradeFirst = (): void => {};
  await using test = startUpgrade({}, { whileAdmitted: () => upgradeFirst() });
  const failure = Promise.withResolvers<unknown>();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request, info) => {
      let response = new Response("it was not admitted", { status: 500 });
      // A request can be upgraded once only.
      upgradeFirst = () => ({ response } = Deno.upgradeWebSocket(request));
      await test.upgrade(request, info).then(failure.resolve, failure.resolve);
      return response;
    },
  );
  await using _client = await connectPlain(`ws://127.0.0.1:${server.addr.port}/ws`);
  assertIsError(await failure.promise);
  assertEquals([test.isHeld(), test.seats.isFull], [false, false]);
});

Deno.test("createUpgrade() closes a WebSocket that opens after its time-out", async () => {
  await using test = startUpgrade({}, {
    openTimeoutMs: 1,
    beforeResponse: ({ given }) => inTime(given).catch(() => {}), // seen below
  });
  await using client = await connectPlain(test.url);
  assertEquals([test.isHeld(), test.seats.isFull], [false, false]);
  await inTime(client.closed);
  assertEquals([test.told, test.upgrade.connections.size], [[], 0]);
});

Deno.test("createUpgrade() drains a connection that opens after the drain has begun", async () => {
  let draining = false;
  const connection = recordConnection();
  const deps = { isDraining: () => draining, openConnection: () => connection };
  await using test = startUpgrade(deps, { beforeResponse: () => void (draining = true) });
  await using client = await connectPlain(test.url);
  client.send("x");
  await inTime(connection.received);
  assertEquals(connection.calls, [["drain", 0], ["receive", "x"]]);
});

Deno.test("createUpgrade() does not drain a connection when there is no drain", async () => {
  const connection = recordConnection();
  await using test = startUpgrade({ openConnection: () => connection });
  await using client = await connectPlain(test.url);
  client.send("x");
  await inTime(connection.received);
  assertEquals(connection.calls, [["receive", "x"]]);
});

Deno.test("createUpgrade() closes the WebSocket when openConnection throws, and gives both places back", async () => {
  const error = new Error("broken");
  let id = "";
  await using test = startUpgrade({
    openConnection(client): never {
      ({ id } = client);
      throw error;
    },
  });
  await using client = await connectPlain(test.url);
  await inTime(client.closed);
  await inTime(test.given);
  assertEquals([test.isHeld(), test.seats.isFull], [false, false]);
  assertEquals(test.upgrade.connections.size, 0);
  const failures = test.told.filter(([name]) => name === "failed").map(([, event]) => event);
  assertEquals(failures, [{ connection: id, error }]);
});

Deno.test("createUpgrade() leaves no timer when a client leaves in time", {
  sanitizeOps: true,
  sanitizeResources: true,
}, async () => {
  let close = (): void => {};
  const connection = recordConnection(() => close());
  const timeouts = { openTimeoutMs: 3_600_000, closeTimeoutMs: 3_600_000 };
  await using test = startUpgrade({
    openConnection(client): Connection {
      close = () => client.closing(); // once while it is open, and once when it has left
      close();
      return connection;
    },
  }, timeouts);
  {
    await using _client = await connectPlain(test.url);
    assertEquals([test.isHeld(), test.seats.isFull], [true, true]);
  }
  await inTime(connection.gone);
  assertEquals(connection.calls, [["closed", 1005]]);
  assertEquals([test.isHeld(), test.seats.isFull], [false, false]);
  assertEquals(test.upgrade.connections.size, 0);
});
