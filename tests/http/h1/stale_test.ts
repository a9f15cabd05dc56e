/**
 * Requests on idle connections that the server closes at that moment: which are repeated (RFC 9112 §9.3.1).
 */
import { assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createTestClient, ok, settle, startServer, type TestRequest } from "./test_client.ts";

interface Stale {
  readonly name: string;
  readonly request: TestRequest;
  /** What the server does with the second request. */
  readonly input?: string;
  /** How it ends, and over how many connections. */
  readonly expected: readonly [string, number];
}

const bytes = new Uint8Array(1_000_000);
const streamed = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
  ReadableStream.from([new Uint8Array(10)]);

const STALE: readonly Stale[] = [
  { name: "GET is repeated", request: {}, expected: ["2", 2] },
  {
    name: "PUT is repeated with its body",
    request: { method: "PUT", body: bytes },
    expected: ["2", 2],
  },
  {
    name: "POST is not repeated",
    request: { method: "POST" },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "POST with a body is not repeated",
    request: { method: "POST", body: bytes },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "PATCH is not repeated",
    request: { method: "PATCH" },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "PUT with a stream is not repeated",
    request: { method: "PUT", body: streamed() },
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET is not repeated after a part of a head",
    request: {},
    input: "H",
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET is not repeated after an interim response",
    request: {},
    input: "HTTP/1.1 103 x\r\n\r\n",
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET is not repeated after a part of a body",
    request: {},
    input: ok("abc").slice(0, -1),
    expected: ["http_response_incomplete true", 1],
  },
  {
    name: "GET is not repeated after something that is not HTTP",
    request: {},
    input: "x",
    expected: ["http_protocol_error false", 1],
  },
];

for (const { name, request, input, expected } of STALE) {
  Deno.test(`a request on an idle connection that ends: ${name}`, async () => {
    await using server = startServer(async (connection, { connection: number, request }) => {
      if (request === 1 && number === 1) return ok("1");
      if (number > 1) return ok(String(number));
      if (input !== undefined) await connection.write(input);
      return false;
    });
    using client = createTestClient();
    await client.fetch(server.origin);
    const outcome = await client.fetch(server.origin, request).then(
      ({ text }) => text,
      ({ code, retryable }: ProxyError) => `${code} ${retryable}`,
    );
    assertEquals([outcome, server.connections()], expected);
  });
}

Deno.test("a request is repeated once, and only after a connection that was idle", async () => {
  await using server = startServer((_, { connection: number, request }) =>
    request === 1 && number === 1 ? ok("1") : false
  );
  using client = createTestClient();
  await client.fetch(server.origin);
  const again = await assertRejects(() => client.fetch(server.origin), ProxyError);
  assertEquals([again.code, server.connections()], ["connection_terminated", 2]);
  const fresh = await assertRejects(() => client.fetch(server.origin), ProxyError);
  assertEquals([fresh.code, server.connections()], ["connection_terminated", 3]);
});

Deno.test("a connection that a repeated request has opened is known to the pool: used again, and closed with it", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = startServer(async (connection, { connection: number, request }) => {
    if (number === 1) return request === 1 ? ok("1") : false;
    await connection.write(ok(String(number)));
    if (request < 2) return undefined;
    await connection.peerClosed();
    closed.resolve();
    return false;
  });
  const client = createTestClient();
  for (const text of ["1", "2", "2"]) {
    assertEquals((await client.fetch(server.origin)).text, text);
    await settle();
  }
  assertEquals(server.connections(), 2);
  client[Symbol.dispose]();
  await closed.promise;
});
