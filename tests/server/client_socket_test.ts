import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  type ConnectionPlaces,
  createConnectionPlaces,
} from "../../src/limits/connection_places.ts";
import { createLease, type Lease } from "../../src/limits/places.ts";
import { connectV1 } from "../helpers/client.ts";
import { connectRaw, HANDSHAKE, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { startServer } from "../helpers/server.ts";
import { latin1 } from "../helpers/upstream.ts";

const OPEN_TIMEOUT_MS = 2000;
const CLOSE_TIMEOUT_MS = 1000;
const FIRST_FRAGMENT = 0x01;
const NEXT_FRAGMENT = 0x00;

Deno.test("acceptHandshake() gives the places back when the client disconnected before the response", async () => {
  const asked = Promise.withResolvers<void>();
  const checked = Promise.withResolvers<void>();
  const places = createConnectionPlaces(1);
  await using server = startServer({
    places,
    authenticator: {
      async authenticate(): Promise<{ subject: string }> {
        asked.resolve();
        await checked.promise;
        return { subject: "alice" };
      },
    },
  });
  const { clock, log, origin, port } = server;
  const client = await Deno.connect({ port, hostname: "127.0.0.1" });
  const fields = Object.entries({ ...HANDSHAKE, authorization: "Bearer token" })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  await client.write(latin1(`GET /ws HTTP/1.1\r\n${fields.join("")}\r\n`));
  await asked.promise;
  client.close();
  // When this request has a response, the server has seen the end of the other connection.
  assertEquals((await (await fetch(`${origin}/healthz`)).json()).status, "alive");
  const accepted = clock.until(OPEN_TIMEOUT_MS);
  checked.resolve();
  await accepted;
  assert(places.isFull);
  clock.advance(OPEN_TIMEOUT_MS - 1);
  assert(places.isFull);
  clock.advance(1);
  assert(!places.isFull);
  assertEquals(log.lines, []);
});

Deno.test("a socket that opens too late is closed, and has no connection", async () => {
  const places = createConnectionPlaces(1);
  await using server = startServer({
    places,
    wrap: (handler, { clock }) => async (request, info) => {
      const response = await handler(request, info);
      clock.advance(OPEN_TIMEOUT_MS);
      return response;
    },
  });
  const webSocket = new WebSocket(server.url);
  const closed = new Promise<CloseEvent>((resolve) => webSocket.onclose = resolve);
  assertEquals((await closed).code, 1005);
  assert(!places.isFull);
  assertEquals(server.log.lines, []);
});

/** Creates places, and tells when the first of them was given back. */
function watchPlaces(max: number): {
  readonly places: ConnectionPlaces;
  readonly givenBack: Promise<void>;
} {
  const { promise, resolve } = Promise.withResolvers<void>();
  const inner = createConnectionPlaces(max);
  const places: ConnectionPlaces = {
    max,
    get isFull(): boolean {
      return inner.isFull;
    },
    take(): Lease | undefined {
      const lease = inner.take();
      return lease && createLease(() => {
        lease[Symbol.dispose]();
        resolve();
      });
    },
  };
  return { places, givenBack: promise };
}

Deno.test("a socket whose client does not answer a close frame ends after a second, and TCP with it", async () => {
  const { places, givenBack } = watchPlaces(1);
  await using server = startServer({ places });
  const { clock, log } = server;
  using client = await connectRaw(server.port, { "sec-websocket-protocol": "wsfetch.v1" });
  await log.logged("connected");
  assertEquals(clock.delays, [], "an open socket needs no timer");
  const closing = clock.until(CLOSE_TIMEOUT_MS);
  for (let count = 0; count < 16; count++) await client.write(rawFrame(TEXT, "junk"));
  await closing;
  clock.advance(CLOSE_TIMEOUT_MS - 1);
  assertEquals(log.lines.at(-1)?.event, "malformed");
  clock.advance(1);
  const { code, closedBy } = await log.logged("disconnected");
  assertEquals([code, closedBy], [4500, "server"]);
  await client.readToEnd();
  await givenBack;
  assert(!places.isFull);
});

Deno.test("a socket ends in the middle of a message without end", async () => {
  const { places, givenBack } = watchPlaces(1);
  await using server = startServer({ places });
  const { clock, log } = server;
  using client = await connectRaw(server.port, { "sec-websocket-protocol": "wsfetch.v1" });
  const closing = clock.until(CLOSE_TIMEOUT_MS);
  for (let count = 0; count < 16; count++) await client.write(rawFrame(TEXT, "junk"));
  await client.write(rawFrame(FIRST_FRAGMENT, "{"));
  await closing;
  const received = client.readToEnd();
  const next = rawFrame(NEXT_FRAGMENT, " ".repeat(65_536));
  const flooding = assertRejects(async () => {
    for (;;) await client.write(next);
  });
  clock.advance(CLOSE_TIMEOUT_MS);
  await Promise.all([givenBack, received, flooding]);
  assertEquals((await log.logged("disconnected")).code, 4500);
});

Deno.test("a socket whose client takes nothing keeps its place until TCP has ended", async () => {
  const { places, givenBack } = watchPlaces(1);
  await using server = startServer({
    places,
    openConnection: (socket) => {
      for (let count = 0; count < 16; count++) socket.send(new Uint8Array(1_048_576));
      throw new Error("broken");
    },
  });
  const { clock, log } = server;
  const closing = clock.until(CLOSE_TIMEOUT_MS);
  using client = await connectRaw(server.port);
  await closing;
  clock.advance(CLOSE_TIMEOUT_MS);
  for (let count = 0; count < 10; count++) {
    using other = await connectRaw(server.port);
    assertStringIncludes(other.answer, "too_many_connections");
  }
  assertEquals(clock.delays, []);
  await client.readToEnd();
  await givenBack;
  await log.logged("failed");
});

Deno.test("a socket whose client closes ends at once, without a timer", async () => {
  const places = createConnectionPlaces(1);
  await using server = startServer({ places });
  {
    await using _client = await connectV1(server.url);
    assert(places.isFull);
  }
  const { code, closedBy } = await server.log.logged("disconnected");
  assertEquals([code, closedBy], [1005, "client"]);
  assert(!places.isFull);
  assertEquals(server.clock.delays, []);
});

Deno.test("a socket whose connection cannot be opened is closed, and the error is reported", async () => {
  const places = createConnectionPlaces(1);
  await using server = startServer({
    places,
    openConnection: () => {
      throw new Error("broken");
    },
  });
  const webSocket = new WebSocket(server.url);
  const closed = new Promise<CloseEvent>((resolve) => webSocket.onclose = resolve);
  assertEquals((await closed).code, 1005);
  const { connection, error } = await server.log.logged("failed");
  assertEquals(connection, (await server.log.logged("connected")).connection);
  assert(String(error).startsWith("Error: broken"));
  await server.drain.start();
});

Deno.test("a socket that opens after a drain has started drains as well", async () => {
  await using server = startServer({
    graceMs: 60_000,
    wrap: (handler, { drain }) => async (request, info) => {
      const response = await handler(request, info);
      drain.start();
      return response;
    },
  });
  const webSocket = new WebSocket(server.url, "wsfetch.v1");
  const frames: string[] = [];
  webSocket.onmessage = ({ data }) => frames.push(JSON.parse(data).type);
  const closed = new Promise<CloseEvent>((resolve) => webSocket.onclose = resolve);
  assertEquals((await closed).code, 1001);
  assertEquals(frames, ["hello", "goaway"]);
});
