/**
 * Which connections are used again, and which never.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createFakeClock } from "../../helpers/clock.ts";
import { startHttp } from "../../helpers/upstream.ts";
import {
  chunked,
  createTestClient,
  ok,
  type Reading,
  startServer,
  type TestRequest,
} from "./test_client.ts";

const READINGS: readonly Reading[] = ["bytes", "chunks"];

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
  { name: "no chunk", input: chunked(), text: "" },
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
    name: "204 with a length that does not count",
    input: head("HTTP/1.1 204 x", "content-length: 5"),
    text: "",
  },
  { name: "304 without a length", input: head("HTTP/1.1 304 x"), text: "" },
  {
    name: "304 with the length of what it stands for",
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
    name: "chunks longer than that",
    input: chunked(..."abc".split("").map((letter) => letter.repeat(30_000))),
    text: "abc".split("").map((letter) => letter.repeat(30_000)).join(""),
  },
];

for (const reading of READINGS) {
  for (const { name, method = "GET", input, text } of REUSABLE) {
    Deno.test(`a connection is used again behind ${name}, read as ${reading}`, async () => {
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
  { name: "a byte behind a body", input: `${ok("abc")}x`, text: "abc" },
  { name: "a byte behind the chunks", input: `${chunked("abc")}x`, text: "abc" },
  { name: "a byte behind an empty body", input: `${ok("")}x`, text: "" },
  { name: "a line end behind a body", input: `${ok("abc")}\r\n`, text: "abc" },
  { name: "another response behind a body", input: ok("abc") + ok("def"), text: "abc" },
  { name: "another response behind the chunks", input: chunked("abc") + ok("def"), text: "abc" },
  { name: "another response behind a 204", input: head("HTTP/1.1 204 x") + ok("def"), text: "" },
  {
    name: "a body behind a 304",
    input: `${head("HTTP/1.1 304 x", "content-length: 3")}abc`,
    text: "",
  },
  {
    name: "a body behind the head of HEAD",
    method: "HEAD",
    input: ok("HTTP/1.1 200 OK\r\n\r\n"),
    text: "",
  },
  {
    name: "a server that says that it keeps it for no time",
    input: ok("abc", "keep-alive: timeout=0"),
    text: "abc",
  },
  {
    name: "a server that says that it keeps it for a second",
    input: ok("abc", "keep-alive: timeout=1"),
    text: "abc",
  },
];

for (const reading of READINGS) {
  for (const { name, method = "GET", input, text } of ONCE) {
    Deno.test(`a connection is closed behind ${name}, read as ${reading}`, async () => {
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

  Deno.test(`a connection is closed behind a body that ends with it, read as ${reading}`, async () => {
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
  { name: "that has come whole", input: ok("abc"), expected: 1 },
  { name: "that there is none of", input: ok(""), expected: 1 },
  { name: "that has come in part", input: ok("abc").slice(0, -1), expected: 2 },
  { name: "with a byte behind it", input: `${ok("abc")}x`, expected: 2 },
  { name: "in chunks", input: chunked("abc"), expected: 2 },
];

for (const { name, input, expected } of DISCARDED) {
  Deno.test(`a body ${name} is discarded, and its connection where it has to be`, async () => {
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

Deno.test("bytes behind a body that was read in part are not taken for the rest of it", async () => {
  // As many as were read: what waits is as long as the body.
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

Deno.test("leaving a body early closes its connection", async () => {
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
  Deno.test(`a body that is too large closes its connection, read as ${reading}`, async () => {
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
  Deno.test(`a body whose length is too large fails before its first piece, read as ${reading}`, async () => {
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

Deno.test("a connection that rests is not used when its address was not checked", async () => {
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

Deno.test("a connection is used again for the same host only, at whichever of its addresses", async () => {
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

Deno.test("a connection to an IPv6 address is used again", async () => {
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

Deno.test("requests side by side have a connection each, of which the allowed ones rest", async () => {
  const arrived = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const all = Promise.all(arrived.map(({ promise }) => promise));
  const closed = Promise.withResolvers<void>();
  let closings = 0;
  await using server = startServer(async (connection, { connection: number, request }) => {
    if (request === 1) {
      arrived[number - 1]?.resolve();
      await all;
    }
    await connection.write(ok("abc"));
    if (request === 1 && await connection.readHead() !== "") return ok("again");
    if (++closings === 2) closed.resolve();
    return false;
  });
  using client = createTestClient({ maxIdlePerHost: 2 });
  await Promise.all(arrived.map(() => client.fetch(server.origin)));
  await closed.promise;
  const texts = await Promise.all([1, 2].map(() => client.fetch(server.origin)));
  assertEquals(texts.map(({ text }) => text), ["again", "again"]);
  assertEquals(server.connections(), 4);
});

Deno.test("a connection that the server half closes while it rests is closed, and not used", async () => {
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

Deno.test("a response that nobody has asked for ends the connection that rests, and answers nothing", async () => {
  const asked = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  await using server = startServer(async (connection, { connection: number }) => {
    await connection.write(ok(String(number)));
    if (number > 1) return;
    await asked.promise;
    await connection.write(ok("poison"));
    await connection.peerClosed();
    closed.resolve();
  });
  using client = createTestClient();
  assertEquals((await client.fetch(server.origin)).text, "1");
  asked.resolve();
  await closed.promise;
  assertEquals((await client.fetch(server.origin)).text, "2");
});

Deno.test("connections are closed when they have rested for long enough, or when the client is disposed of", async () => {
  const clock = createFakeClock();
  const closings = [1, 2].map(() => Promise.withResolvers<void>());
  await using server = startServer(async (connection, { connection: number }) => {
    await connection.write(ok("abc"));
    await connection.peerClosed();
    closings[number - 1]?.resolve();
  });
  const client = createTestClient({ clock });
  await client.fetch(server.origin);
  assertEquals(clock.delays, [30_000]);
  clock.advance(60_000);
  await closings[0]?.promise;
  await client.fetch(server.origin);
  client[Symbol.dispose]();
  await closings[1]?.promise;
  assertEquals(clock.delays, []);
});

Deno.test("a connection is used as long as its server says, less a second, and anew behind each response", async () => {
  const clock = createFakeClock();
  const hints = ["keep-alive: timeout=5", "Keep-Alive: max=9, timeout=5", "x: y"];
  await using server = startServer((_, { request }) => ok("", hints[request - 1] ?? ""));
  using client = createTestClient({ idleMs: 1_000_000, clock });
  await client.fetch(server.origin);
  clock.advance(3999);
  await client.fetch(server.origin);
  clock.advance(3999);
  await client.fetch(server.origin);
  assertEquals(server.connections(), 1);
  clock.advance(100_000); // the last response has said nothing of a time
  await client.fetch(server.origin);
  assertEquals(server.connections(), 1);

  await using other = startServer(() => ok("", "keep-alive: timeout=5"));
  await client.fetch(other.origin);
  clock.advance(4000);
  await client.fetch(other.origin);
  assertEquals(other.connections(), 2);
});

Deno.test("connections that rest are no more than allowed in all", async () => {
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

interface Stale {
  readonly name: string;
  readonly asked: TestRequest;
  /** What the server does with the second request. */
  readonly input?: string;
  /** How it ends, and over how many connections. */
  readonly expected: readonly [string, number];
}

const bytes = new Uint8Array(1_000_000);
const streamed = (): ReadableStream<Uint8Array<ArrayBuffer>> =>
  ReadableStream.from([new Uint8Array(10)]);

const STALE: readonly Stale[] = [
  { name: "GET once more", asked: {}, expected: ["2", 2] },
  {
    name: "PUT once more, with its body",
    asked: { method: "PUT", body: bytes },
    expected: ["2", 2],
  },
  {
    name: "POST not again",
    asked: { method: "POST" },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "POST with a body not again",
    asked: { method: "POST", body: bytes },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "PATCH not again",
    asked: { method: "PATCH" },
    expected: ["connection_terminated false", 1],
  },
  {
    name: "PUT with a stream not again",
    asked: { method: "PUT", body: streamed() },
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET not again when a head had begun",
    asked: {},
    input: "H",
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET not again behind an interim response",
    asked: {},
    input: "HTTP/1.1 103 x\r\n\r\n",
    expected: ["connection_terminated true", 1],
  },
  {
    name: "GET not again when a body had begun",
    asked: {},
    input: ok("abc").slice(0, -1),
    expected: ["http_response_incomplete true", 1],
  },
  {
    name: "GET not again behind what is not HTTP",
    asked: {},
    input: "x",
    expected: ["http_protocol_error false", 1],
  },
];

for (const { name, asked, input, expected } of STALE) {
  Deno.test(`on a connection that ends under it a client sends ${name}`, async () => {
    await using server = startServer(async (connection, { connection: number, request }) => {
      if (request === 1 && number === 1) return ok("1");
      if (number > 1) return ok(String(number));
      if (input !== undefined) await connection.write(input);
      return false;
    });
    using client = createTestClient();
    await client.fetch(server.origin);
    const outcome = await client.fetch(server.origin, asked).then(
      ({ text }) => text,
      ({ code, retryable }: ProxyError) => `${code} ${retryable}`,
    );
    assertEquals([outcome, server.connections()], expected);
  });
}

Deno.test("a request is repeated once, and only behind a connection that had rested", async () => {
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
