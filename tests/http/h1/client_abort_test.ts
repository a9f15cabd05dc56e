/**
 * Requests that are aborted, and what they leave.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { startRaw } from "../../helpers/upstream.ts";
import {
  chunked,
  createTestClient,
  ok,
  READINGS,
  readText,
  startServer,
  type TestRequest,
} from "./test_client.ts";

const PHASES: readonly { name: string; input: string; request?: TestRequest }[] = [
  { name: "before the head", input: "" },
  { name: "inside the head", input: "HTTP/1.1 200 OK\r\nx: y\r\n" },
  { name: "after an interim response", input: "HTTP/1.1 103 x\r\n\r\n" },
  { name: "inside the body", input: ok("abc").slice(0, -1) },
  { name: "inside a chunk", input: chunked("abc").slice(0, -8) },
  { name: "inside a body without length", input: "HTTP/1.1 200 OK\r\n\r\nabc" },
  {
    name: "while it writes the body",
    input: "",
    request: { method: "PUT", body: new Uint8Array(50_000_000) },
  },
  {
    name: "while it streams the body",
    input: "",
    request: {
      method: "PUT",
      body: new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(1e5)) }),
    },
  },
  {
    name: "while the stream of its body waits",
    input: "",
    request: { method: "PUT", body: new ReadableStream() },
  },
];

for (const { name, input, request } of PHASES) {
  Deno.test(`request() fails with the signal's reason when aborted ${name}, and closes the connection`, async () => {
    const written = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(input);
      written.resolve();
      if (request === undefined) await connection.peerClosed();
      closed.resolve();
    });
    for (const reading of READINGS) {
      using client = createTestClient();
      const controller = new AbortController();
      const { signal } = controller;
      const asking = client.fetch(server.origin, { ...request, signal, reading });
      const ended = assertRejects(() => asking);
      await written.promise;
      const reason = new Error("enough");
      controller.abort(reason);
      assertStrictEquals(await ended, reason);
      await closed.promise;
      if (request !== undefined) break; // the body cannot be sent again
    }
  });
}

Deno.test("reading a body fails with the signal's reason when aborted after the head", async () => {
  await using server = startServer(() => ok("abc").slice(0, -1));
  using client = createTestClient();
  const reason = new Error("enough");
  for (const reading of READINGS) {
    const controller = new AbortController();
    const response = await client.fetchHead(server.origin, { signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => readText(response, { reading })), reason);
  }
});

Deno.test("request() does not reuse the connection of an aborted exchange, even if its response has arrived", async () => {
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  const controller = new AbortController();
  const response = await client.fetchHead(server.origin, { signal: controller.signal });
  controller.abort();
  assertEquals(response.body.isHere, true);
  response.body.bytes(10);
  // In the same turn, before the end of the connection can be noticed.
  const { text } = await client.fetch(server.origin, { method: "POST" });
  assertEquals([text, server.connections()], ["abc", 2]);
});

Deno.test("request() fails with the signal's reason when it was aborted before, and does not connect", async () => {
  const reason = new Error("enough");
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  const asking = client.fetch(server.origin, { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await assertRejects(() => asking), reason);
  assertEquals(server.connections(), 0);
});

Deno.test("request() fails with the signal's reason when aborted while connecting", async () => {
  const reason = new Error("enough");
  let connects = 0;
  let closes = 0;
  for (const isLate of [false, true]) {
    const controller = new AbortController();
    using client = createTestClient({
      connect: (options) => {
        connects++;
        const { signal } = options as { readonly signal?: AbortSignal };
        controller.abort(reason);
        if (!isLate) return Promise.reject(signal?.reason);
        return Promise.resolve({
          read: () => Promise.reject(new Error("It was closed")),
          write: () => Promise.reject(new Error("It was closed")),
          close: () => void closes++,
        });
      },
    });
    const addresses = ["192.0.2.1", "192.0.2.2"];
    const asking = client.fetch("http://a.invalid/", { signal: controller.signal, addresses });
    assertStrictEquals(await assertRejects(() => asking), reason);
  }
  assertEquals([connects, closes], [2, 1]);
});

Deno.test("request() leaves the connection alone when the signal is aborted after the exchange", async () => {
  await using server = startServer(() => ok("abc"));
  using client = createTestClient();
  for (let round = 0; round < 3; round++) {
    const controller = new AbortController();
    await client.fetch(server.origin, { signal: controller.signal });
    controller.abort();
  }
  assertEquals(server.connections(), 1);
});

/** Returns a signal and the number of its listeners. */
function countListeners(): { readonly signal: AbortSignal; readonly count: () => number } {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  Object.assign(signal, {
    addEventListener(...[type, listener, options]: Parameters<typeof add>): void {
      listeners.add(listener);
      add(type, listener, options);
    },
    removeEventListener(...[type, listener, options]: Parameters<typeof remove>): void {
      listeners.delete(listener);
      remove(type, listener, options);
    },
  });
  return { signal, count: () => listeners.size };
}

Deno.test("request() leaves no listener on its signal, however the exchange ends", async () => {
  const answers: readonly (string | false)[] = [
    ok("abc"),
    ok(""),
    chunked("abc"),
    ok("abc", "connection: close"),
    ok("abcdefghij"),
    "x",
    "HTTP/1.1 101 x\r\n\r\n",
    false,
    ok("abc").slice(0, -1),
    chunked("abc").slice(0, -6),
  ];
  for (const reading of READINGS) {
    for (const answer of answers) {
      await using server = startRaw(async (connection) => {
        await connection.readHead();
        if (answer !== false) await connection.write(answer);
        connection.close();
      });
      using client = createTestClient();
      const { signal, count } = countListeners();
      await client.fetch(server.origin, { signal, reading, maxBytes: 5 }).catch(() => {});
      assertEquals(count(), 0, String(answer));
    }
  }
});

Deno.test("request() sends nothing on an idle connection when it was aborted before", async () => {
  const reason = new Error("enough");
  let requests = 0;
  await using server = startServer(() => {
    requests++;
    return ok("abc");
  });
  using client = createTestClient();
  await client.fetch(server.origin);
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(await assertRejects(() => client.fetch(server.origin, { signal })), reason);
  await client.fetch(server.origin);
  assertEquals([requests, server.connections()], [2, 2]);
});
