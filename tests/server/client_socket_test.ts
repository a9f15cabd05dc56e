import { assert, assertEquals } from "@std/assert";
import { createConnectionPlaces } from "../../src/limits/connection_places.ts";
import { connectV1 } from "../helpers/client.ts";
import { connectRaw, HANDSHAKE, rawFrame, TEXT } from "../helpers/raw_client.ts";
import { startServer } from "../helpers/server.ts";
import { latin1 } from "../helpers/upstream.ts";

const OPEN_TIMEOUT_MS = 2000;
const CLOSE_TIMEOUT_MS = 1000;

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

Deno.test("a socket whose client does not answer a close frame ends after a second", async () => {
  const places = createConnectionPlaces(1);
  await using server = startServer({ places });
  const { clock, log } = server;
  using client = await connectRaw(server.port, { "sec-websocket-protocol": "wsfetch.v1" });
  await log.logged("connected");
  assertEquals(clock.delays, [], "an open socket needs no timer");
  const closing = clock.until(CLOSE_TIMEOUT_MS);
  for (let count = 0; count < 16; count++) await client.write(rawFrame(TEXT, "junk"));
  await closing;
  clock.advance(CLOSE_TIMEOUT_MS - 1);
  assert(places.isFull);
  assertEquals(log.lines.at(-1)?.event, "malformed");
  clock.advance(1);
  assert(!places.isFull);
  const { code, closedBy } = await log.logged("disconnected");
  assertEquals([code, closedBy], [4500, "server"]);
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
