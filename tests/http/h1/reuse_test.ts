/**
 * Which connections are reused, and which are closed.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createFakeClock, withRealTurns } from "../../helpers/clock.ts";
import { startHttp } from "../../helpers/upstream.ts";
import { chunked, createTestClient, ok, READINGS, settle, startServer } from "./test_client.ts";

interface Row {
  readonly name: string;
  readonly method?: string;
  readonly input: string;
  readonly text: string;
}

const head = (status: string, ...fields: string[]): string =>
  `${[status, ...fields].join("\r\n")}\r\n\r\n`;

const REUSABLE: readonly Row[] = [
  { name: "a body of known length", input: ok("abc"), text: "abc" },
  { name: "an empty body", input: ok(""), text: "" },
  { name: "a body of chunks", input: chunked("abc", "def"), text: "abcdef" },
  { name: "a body without chunks", input: chunked(), text: "" },
  {
    name: "trailers",
    input: chunked("abc").replace(/\r\n$/, "x: y\r\n\r\n"),
    text: "abc",
  },
  {
    name: "HTTP/1.0 with keep-alive",
    input: ok("abc", "connection: Keep-Alive").replace("1.1", "1.0"),
    text: "abc",
  },
  { name: "204 without a length", input: head("HTTP/1.1 204 x"), text: "" },
  {
    name: "204 with a length that is not valid",
    input: head("HTTP/1.1 204 x", "content-length: 5"),
    text: "",
  },
  { name: "304 without a length", input: head("HTTP/1.1 304 x"), text: "" },
  {
    name: "304 with the length of the cached body",
    input: head("HTTP/1.1 304 x", "content-length: 5"),
    text: "",
  },
  { name: "HEAD without a length", method: "HEAD", input: head("HTTP/1.1 200 x"), text: "" },
  {
    name: "HEAD with a length",
    method: "HEAD",
    input: head("HTTP/1.1 200 x", "content-length: 5"),
    text: "",
  },
  {
    name: "HEAD with chunks",
    method: "HEAD",
    input: head("HTTP/1.1 200 x", "transfer-encoding: chunked"),
    text: "",
  },
  {
    name: "interim responses",
    input: head("HTTP/1.1 100 x") + head("HTTP/1.1 103 x", "link: y") + ok("abc"),
    text: "abc",
  },
  {
    name: "a body longer than the memory of a connection",
    input: ok("0123456789".repeat(9000)),
    text: "0123456789".repeat(9000),
  },
  {
    name: "chunks longer than the memory of a connection",
    input: chunked(..."abc".split("").map((letter) => letter.repeat(30_000))),
    text: "abc".split("").map((letter) => letter.repeat(30_000)).join(""),
  },
];

for (const reading of READINGS) {
  for (const { name, method = "GET", input, text } of REUSABLE) {
    Deno.test(`request() reuses a connection after ${name}, read by ${reading}()`, async () => {
      await using server = startServer(() => input);
      using client = createTestClient();
      for (let round = 0; round < 3; round++) {
        assertEquals((await client.fetch(server.origin, { method, reading })).text, text);
      }
      assertEquals(server.connections(), 1);
    });
  }
}

const ONCE: readonly Row[] = [
  { name: "connection: close", input: ok("abc", "connection: close"), text: "abc" },
  { name: "connection: CLOSE in a list", input: ok("abc", "Connection: x, CLOSE"), text: "abc" },
  { name: "HTTP/1.0", input: ok("abc").replace("1.1", "1.0"), text: "abc" },
  {
    name: "a length beside chunks",
    input: chunked("abc").replace("\r\n\r\n", "\r\ncontent-length: 3\r\n\r\n"),
    text: "abc",
  },
  { name: "a byte after a body", input: `${ok("abc")}x`, text: "abc" },
  { name: "a byte after the chunks", input: `${chunked("abc")}x`, text: "abc" },
  { name: "a byte after an empty body", input: `${ok("")}x`, text: "" },
  { name: "a line end after a body", input: `${ok("abc")}\r\n`, text: "abc" },
  { name: "another response after a body", input: ok("abc") + ok("def"), text: "abc" },
  { name: "another response after the chunks", input: chunked("abc") + ok("def"), text: "abc" },
  { name: "another response after a 204", input: head("HTTP/1.1 204 x") + ok("def"), text: "" },
  {
    name: "a body after a 304",
    input: `${head("HTTP/1.1 304 x", "content-length: 3")}abc`,
    text: "",
  },
  {
    name: "a body after the head of HEAD",
    method: "HEAD",
    input: ok("HTTP/1.1 200 OK\r\n\r\n"),
    text: "",
  },
  {
    name: "a response with timeout=0",
    input: ok("abc", "keep-alive: timeout=0"),
    text: "abc",
  },
  {
    name: "a response with timeout=1",
    input: ok("abc", "keep-alive: timeout=1"),
    text: "abc",
  },
];

for (const reading of READINGS) {
  for (const { name, method = "GET", input, text } of ONCE) {
    Deno.test(`request() closes a connection after ${name}, read by ${reading}()`, async () => {
      const closings: Promise<void>[] = [];
      await using server = startServer((connection) => {
        closings.push(connection.write(input).then(connection.peerClosed));
        return closings.at(-1);
      });
      using client = createTestClient();
      for (let round = 1; round <= 2; round++) {
        assertEquals((await client.fetch(server.origin, { method, reading })).text, text);
        await closings[round - 1];
        assertEquals(server.connections(), round);
      }
    });
  }

  Deno.test(`request() closes a connection after a body that ends with it, read by ${reading}()`, async () => {
    await using server = startServer(async (connection) => {
      await connection.write("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\nabc");
      await connection.closeWrite();
      await connection.peerClosed();
    });
    using client = createTestClient();
    for (let round = 1; round <= 2; round++) {
      assertEquals((await client.fetch(server.origin, { reading })).text, "abc");
      assertEquals(server.connections(), round);
    }
  });
}

const DISCARDED: readonly { name: string; input: string; expected: number }[] = [
  { name: "that has arrived completely", input: ok("abc"), expected: 1 },
  { name: "of length 0", input: ok(""), expected: 1 },
  { name: "that has arrived partly", input: ok("abc").slice(0, -1), expected: 2 },
  { name: "with a byte after it", input: `${ok("abc")}x`, expected: 2 },
  { name: "in chunks", input: chunked("abc"), expected: 2 },
];

for (const { name, input, expected } of DISCARDED) {
  Deno.test(`discard() of a body ${name} closes the connection only where needed`, async () => {
    await using server = startServer((_, { head }) => head.startsWith("HEAD") ? ok("") : input);
    using client = createTestClient();
    const response = await client.fetchHead(server.origin);
    response.body.discard();
    response.body.discard();
    assertEquals((await client.fetch(server.origin, { method: "HEAD" })).text, "");
    assertEquals(server.connections(), expected);
    assertEquals(await Array.fromAsync(response.body.chunks(10)), []);
  });
}

Deno.test("discard() does not mistake bytes after a partly read body for its rest", async () => {
  // As many as were read, so that the bytes that wait are as long as the body.
  await using server = startServer(() => ok("abc") + "xyz");
  using client = createTestClient();
  const response = await client.fetchHead(server.origin);
  for await (const _ of response.body.chunks(10)) {
    response.body.discard();
    break;
  }
  await client.fetch(server.origin);
  assertEquals(server.connections(), 2);
});

Deno.test("leaving chunks() early closes the connection", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = startServer(async (connection) => {
    await connection.write(ok("abc").slice(0, -1));
    await connection.peerClosed();
    closed.resolve();
  });
  using client = createTestClient();
  for await (const _ of (await client.fetchHead(server.origin)).body.chunks(10)) break;
  await closed.promise;
});

for (const reading of READINGS) {
  Deno.test(`${reading}() closes the connection when a body is too large`, async () => {
    for (const input of [ok("abcd"), chunked("ab", "cd"), "HTTP/1.1 200 OK\r\n\r\nabcd"]) {
      const closed = Promise.withResolvers<void>();
      await using server = startServer(async (connection) => {
        await connection.write(input);
        await connection.peerClosed();
        closed.resolve();
      });
      using client = createTestClient();
      const asking = client.fetch(server.origin, { reading, maxBytes: 3 });
      const { code } = await assertRejects(() => asking, ProxyError);
      assertEquals(code, "http_response_body_size");
      await closed.promise;
    }
  });
}

for (const reading of READINGS) {
  Deno.test(`${reading}() fails before the first piece when the length of a body is too large`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = startServer(async (connection, { request }) => {
      await connection.write(request === 1 ? ok("abc") : ok("abcd").slice(0, -2));
      if (request === 1) return;
      await connection.peerClosed();
      closed.resolve();
    });
    using client = createTestClient();
    assertEquals((await client.fetch(server.origin, { reading, maxBytes: 3 })).text, "abc");
    const response = await client.fetchHead(server.origin);
    const first = reading === "bytes"
      ? async () => await response.body.bytes(3)
      : () => response.body.chunks(3)[Symbol.asyncIterator]().next();
    const { code, sent } = await assertRejects(first, ProxyError);
    assertEquals([code, sent], ["http_response_body_size", "yes"]);
    await closed.promise;
    assertEquals(server.connections(), 1);
  });
}

Deno.test("request() does not use an idle connection whose address was not checked", async () => {
  await using server = startServer((_, { connection, request }) => ok(`${connection} ${request}`));
  using client = createTestClient();
  const url = `http://a.invalid:${server.port}/`;
  const ask = async (...addresses: string[]): Promise<string> =>
    await client.fetch(url, { addresses }).then(({ text }) => text, ({ code }: ProxyError) => code);
  assertEquals(await ask("127.0.0.1"), "1 1");
  assertEquals(await ask("127.0.0.9"), "connection_refused"); // nothing listens there
  assertEquals(await ask(), "dns_error");
  assertEquals(await ask("127.0.0.9", "127.0.0.1"), "1 2");
});

Deno.test("request() reuses a connection for the same host only, at any of its addresses", async () => {
  await using server = startServer((_, { head }) => ok(/host: (.*)\r/.exec(head)?.[1] ?? ""));
  using client = createTestClient();
  const { port } = server;
  const ask = async (host: string, ...addresses: string[]): Promise<void> =>
    assertEquals(
      (await client.fetch(`http://${host}:${port}/`, { addresses })).text,
      `${host}:${port}`,
    );
  await ask("a.invalid", "127.0.0.1");
  await ask("a.invalid", "127.0.0.1");
  assertEquals(server.connections(), 1);
  await ask("b.invalid", "127.0.0.1");
  assertEquals(server.connections(), 2);
  await ask("a.invalid", "127.0.0.9", "127.0.0.1"); // nothing listens at the first
  await ask("127.0.0.1", "127.0.0.1");
  assertEquals(server.connections(), 3);
});

Deno.test("request() reuses a connection to an IPv6 address", async () => {
  await using server = startHttp((request) => new Response(request.headers.get("host")), {
    hostname: "::1",
  });
  let connects = 0;
  const connect = (options: Deno.ConnectOptions): Promise<Deno.TcpConn> => {
    connects++;
    assertEquals(options.hostname, "::1");
    return Deno.connect(options);
  };
  using client = createTestClient({ connect });
  const url = `http://[::1]:${server.port}/`;
  for (let round = 0; round < 2; round++) {
    assertEquals((await client.fetch(url)).text, `[::1]:${server.port}`);
  }
  assertEquals(connects, 1);
});

Deno.test("concurrent requests have a connection each, all of which are used again", async () => {
  const arrived = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const all = Promise.all(arrived.map(({ promise }) => promise));
  await using server = startServer(async (_, { connection, request }) => {
    if (request === 1) arrived[connection - 1]?.resolve();
    await all;
    return ok(String(request));
  });
  using client = createTestClient();
  for (const text of ["1", "2"]) {
    const responses = await Promise.all(arrived.map(() => client.fetch(server.origin)));
    assertEquals(responses.map((response) => response.text), [text, text, text, text]);
  }
  assertEquals(server.connections(), 4);
});

Deno.test("an idle connection that the server half closes is closed, and not used", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = startServer(async (connection, { connection: number }) => {
    await connection.write(ok(String(number)));
    if (number > 1) return;
    await connection.closeWrite();
    await connection.peerClosed();
    closed.resolve();
  });
  using client = createTestClient();
  await client.fetch(server.origin);
  await closed.promise;
  assertEquals((await client.fetch(server.origin, { method: "POST" })).text, "2");
});

Deno.test("an unrequested response on an idle connection closes it, and is no response to the next request", async () => {
  const request = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  await using server = startServer(async (connection, { connection: number }) => {
    await connection.write(ok(String(number)));
    if (number > 1) return;
    await request.promise;
    await connection.write(ok("poison"));
    await connection.peerClosed();
    closed.resolve();
  });
  using client = createTestClient();
  assertEquals((await client.fetch(server.origin)).text, "1");
  request.resolve();
  await closed.promise;
  assertEquals((await client.fetch(server.origin)).text, "2");
});

Deno.test("idle connections are closed after their time, and when the client is disposed of", async () => {
  const clock = createFakeClock();
  const closings = [1, 2].map(() => Promise.withResolvers<void>());
  await using server = startServer(async (connection, { connection: number }) => {
    await connection.write(ok("abc"));
    await connection.peerClosed();
    closings[number - 1]?.resolve();
  });
  const client = createTestClient({ clock: withRealTurns(clock) });
  await client.fetch(server.origin);
  await settle();
  assertEquals(clock.delays, [30_000]);
  clock.advance(60_000);
  await closings[0]?.promise;
  await client.fetch(server.origin);
  client[Symbol.dispose]();
  await closings[1]?.promise;
  assertEquals(clock.delays, []);
});

Deno.test("request() reuses a connection for the time that the last response states, less a second", async () => {
  const clock = createFakeClock();
  const hints = ["keep-alive: timeout=5", "Keep-Alive: max=9, timeout=5", "x: y"];
  await using server = startServer((_, { request }) => ok("", hints[request - 1] ?? ""));
  using client = createTestClient({ idleMs: 1_000_000, clock: withRealTurns(clock) });
  await client.fetch(server.origin);
  clock.advance(3999);
  await client.fetch(server.origin);
  clock.advance(3999);
  await client.fetch(server.origin);
  assertEquals(server.connections(), 1);
  clock.advance(100_000); // the last response states no time
  await client.fetch(server.origin);
  assertEquals(server.connections(), 1);

  await using other = startServer(() => ok("", "keep-alive: timeout=5"));
  await client.fetch(other.origin);
  await settle();
  clock.advance(4000);
  await client.fetch(other.origin);
  assertEquals(other.connections(), 2);
});

Deno.test("a client keeps no more idle connections than its limit in total", async () => {
  let open = 0;
  let most = 0;
  await using server = startServer(async (connection) => {
    most = Math.max(most, ++open);
    await connection.write(ok("abc"));
    await connection.peerClosed();
    open--;
  });
  using client = createTestClient({ maxIdle: 8 });
  for (let host = 0; host < 100; host++) {
    const addresses = ["127.0.0.1"];
    await client.fetch(`http://h${host}.invalid:${server.port}/`, { addresses });
  }
  assert(most <= 12, `${most} connections were open at a time`);
});
