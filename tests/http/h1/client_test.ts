import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { startRaw } from "../../helpers/upstream.ts";
import {
  chunked,
  createTestClient,
  ok,
  READINGS,
  readUntil,
  startServer,
  type TestRequest,
} from "./test_client.ts";
import { createWire } from "./wire.ts";

/** Returns a function that fails to connect, and counts its calls. */
function refuseToConnect(): {
  readonly connect: () => Promise<never>;
  readonly count: () => number;
} {
  let count = 0;
  return {
    connect: () => {
      count++;
      return Promise.reject(new Deno.errors.ConnectionRefused("no"));
    },
    count: () => count,
  };
}

Deno.test("request() returns the head as received, and a body that stays coded", async () => {
  const fields = ["Content-Encoding: gzip", "X-A: 1", "x-a: 2"];
  await using server = startServer(() => ok("abc", ...fields).replace("OK", "Fine"));
  using client = createTestClient();
  const { status, statusText, headers, decoded, body } = await client.fetchHead(server.origin);
  assertEquals([status, statusText, decoded], [200, "Fine", false]);
  assertEquals(headers, [["content-length", "3"], ["content-encoding", "gzip"], ["x-a", "1"], [
    "x-a",
    "2",
  ]]);
  assertEquals([body.length, new TextDecoder().decode(await body.bytes(3))], [3, "abc"]);
});

Deno.test("request() sends a body with its length", async () => {
  for (const size of [0, 1, 4000, 100_000]) {
    const text = "b".repeat(size);
    await using server = startRaw(async (connection) => {
      const head = await connection.readHead();
      await connection.write(ok(await readUntil(connection, head, `\r\n\r\n${text}`)));
      await connection.peerClosed();
    });
    using client = createTestClient();
    const body = new TextEncoder().encode(text);
    const seen = (await client.fetch(server.origin, { method: "POST", body })).text;
    assert(seen.startsWith("POST / HTTP/1.1\r\n") && seen.endsWith(`\r\n\r\n${text}`));
    assert(seen.includes(`\r\ncontent-length: ${size}\r\n`));
  }
});

const UNSENDABLE: readonly { name: string; url?: string; request?: TestRequest; code?: string }[] =
  [
    { name: "a value with a line end", request: { headers: [["x", "y\r\nz: 1"]] } },
    { name: "a name that is not a token", request: { headers: [["x y", "z"]] } },
    { name: "a method that is not a token", request: { method: "GET / HTTP/1.1\r\nx:" } },
    { name: "a host that is not valid", url: "http://a{b.invalid/" },
    { name: "a URL that is too long", url: `http://a.invalid/${"a".repeat(70_000)}` },
    { name: "the port of SMTP", url: "http://a.invalid:25/", code: "http_request_denied" },
    { name: "the port of X11", url: "http://a.invalid:6000/", code: "http_request_denied" },
    { name: "port 0", url: "http://127.0.0.1:0/", code: "http_request_denied" },
  ];

for (const { name, url = "http://a.invalid/", request = {}, code = "bad_request" } of UNSENDABLE) {
  Deno.test(`request() refuses ${name} before it connects`, async () => {
    const { connect, count } = refuseToConnect();
    using client = createTestClient({ connect });
    const error = await assertRejects(() => client.fetch(url, request), ProxyError);
    assertEquals([error.code, error.sent, error.retryable, count()], [code, "no", false, 0]);
  });
}

Deno.test("request() tries every address, and fails with the last error", async () => {
  const { connect, count } = refuseToConnect();
  using client = createTestClient({ connect });
  const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
  const refused = await assertRejects(
    () => client.fetch("http://a.invalid/", { addresses }),
    ProxyError,
  );
  assertEquals([refused.code, refused.sent, count()], ["connection_refused", "no", 3]);
  const none = await assertRejects(
    () => client.fetch("http://a.invalid/", { addresses: [] }),
    ProxyError,
  );
  assertEquals([none.code, none.sent, count()], ["dns_error", "no", 3]);
});

Deno.test("request() fails with the error of the connection as the cause", async () => {
  const reset = new Deno.errors.ConnectionReset("reset");
  const wire = { ...createWire(), read: () => Promise.reject(reset) };
  using client = createTestClient({ connect: () => Promise.resolve(wire) });
  const { code, cause } = await assertRejects(() => client.fetch("http://a.invalid/"), ProxyError);
  assertEquals([code, cause], ["connection_terminated", reset]);
});

const INTERIM: readonly { name: string; input: string }[] = [
  { name: "none", input: "" },
  { name: "100", input: "HTTP/1.1 100 Continue\r\n\r\n" },
  { name: "several", input: "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nlink: y\r\n\r\n".repeat(10) },
  {
    name: "one with a length, but without a body",
    input: "HTTP/1.1 100 x\r\ncontent-length: 9\r\n\r\n",
  },
  { name: "one without CR", input: "HTTP/1.1 103 x\nlink: y\n\n" },
];

for (const { name, input } of INTERIM) {
  Deno.test(`request() skips interim responses: ${name}`, async () => {
    await using server = startServer(() => input + ok("abc"));
    using client = createTestClient();
    assertEquals((await client.fetch(server.origin)).text, "abc");
  });
}

const NOT_HTTP: readonly { name: string; input: string }[] = [
  { name: "a 101 that no request asks for", input: "HTTP/1.1 101 x\r\nupgrade: y\r\n\r\n" },
  { name: "an interim response that is not valid", input: "HTTP/1.1 100 x\r\ny\r\n\r\n" },
  { name: "another protocol, before its first line ends", input: "SSH-2.0-OpenSSH" },
  { name: "a head that only begins like HTTP", input: "HTTP/1.x 200 OK\r\n\r\n" },
  {
    name: "a body with an unknown transfer coding",
    input: "HTTP/1.1 200 x\r\ntransfer-encoding: br\r\n\r\n",
  },
];

for (const { name, input } of NOT_HTTP) {
  Deno.test(`request() fails and closes the connection when the response is ${name}`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = startServer(async (connection) => {
      await connection.write(input);
      await connection.peerClosed();
      closed.resolve();
    });
    using client = createTestClient();
    const { code, sent } = await assertRejects(() => client.fetch(server.origin), ProxyError);
    assertEquals([code, sent], ["http_protocol_error", "yes"]);
    await closed.promise;
  });
}

const ENDLESS: readonly { name: string; input: string }[] = [
  { name: "fields", input: `x: ${"y".repeat(1000)}\r\n` },
  { name: "one line", input: "y".repeat(1000) },
  { name: "interim responses", input: "HTTP/1.1 100 \r\n\r\n".repeat(50) },
  { name: "empty lines", input: "\r\n".repeat(500) },
  { name: "large interim responses", input: `HTTP/1.1 100 \r\nx: ${"y".repeat(1000)}\r\n\r\n` },
];

for (const { name, input } of ENDLESS) {
  Deno.test(`request() does not read ${name} without end`, async () => {
    let written = 0;
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      const isBefore = /^(?:HTTP|\r)/.test(input);
      await connection.write(isBefore ? input : "HTTP/1.1 200 OK\r\n");
      for (;; written += input.length) await connection.write(input);
    });
    using client = createTestClient();
    const { code } = await assertRejects(() => client.fetch(server.origin), ProxyError);
    assertEquals(code, "http_protocol_error");
  });
}

Deno.test("request() reads a response that arrives a byte at a time", async () => {
  await using server = startRaw(async (connection) => {
    await connection.readHead();
    const text = `HTTP/1.1 103 x\r\n\r\n${chunked("abc", "defg").replace("\r\n", "\r\nx: y\r\n")}`;
    for (const byte of text) await connection.write(byte);
    await connection.peerClosed();
  });
  using client = createTestClient();
  assertEquals((await client.fetch(server.origin)).text, "abcdefg");
});

const long = "y".repeat(300);
const CUT_HEADS: readonly { name: string; input: string }[] = [
  { name: "no other head", input: "" },
  { name: "a long 103", input: `HTTP/1.1 103 x\r\nlink: ${long}\r\n\r\n` },
  { name: "a long 103 without CR", input: `HTTP/1.1 103 x\nlink: ${long}\n\n` },
  { name: "a short 100 and a long 103", input: `HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 ${long}\n\r\n` },
];

for (const { name, input } of CUT_HEADS) {
  Deno.test(`request() reads a short head after ${name}, wherever it is cut`, async () => {
    for (const answer of ["HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 204 x\n\n"]) {
      const text = input + answer;
      for (let at = 1; at < text.length; at++) {
        const wire = createWire(text.slice(0, at), text.slice(at), null);
        using client = createTestClient({ connect: () => Promise.resolve(wire) });
        assertEquals((await client.fetch("http://a.invalid/")).status, 204);
      }
      const wire = createWire(...text, null);
      using client = createTestClient({ connect: () => Promise.resolve(wire) });
      assertEquals((await client.fetch("http://a.invalid/")).status, 204);
    }
  });
}

const BODIES: readonly { name: string; body: () => TestRequest["body"] & object }[] = [
  { name: "1 MiB", body: () => new Uint8Array(1_048_576) },
  { name: "50 MB, which the system does not take at once", body: () => new Uint8Array(50_000_000) },
  {
    name: "an endless stream",
    body: () => new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(65_536)) }),
  },
  { name: "a stream without data", body: () => new ReadableStream() },
];

for (const { name, body } of BODIES) {
  Deno.test(`request() returns a response that arrives before the server has read the body: ${name}`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(ok("enough").replace("200 OK", "413 x"));
      await closed.promise;
    });
    using client = createTestClient();
    const { status, text } = await client.fetch(server.origin, { method: "POST", body: body() });
    assertEquals([status, text], [413, "enough"]);
    closed.resolve();
  });

  Deno.test(`request() ends when the server closes without reading the body: ${name}`, async () => {
    const written = Promise.withResolvers<void>();
    await using server = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(ok("enough", "connection: close").replace("200 OK", "413 x"));
      connection.close();
      written.resolve();
    });
    using client = createTestClient();
    const asking = client.fetch(server.origin, { method: "PUT", body: body() });
    await written.promise;
    // The reset may overtake any part of the response.
    const outcome = await asking.then(({ text }) => text, ({ code }: ProxyError) => code);
    const possible = ["enough", "connection_terminated", "http_response_incomplete"];
    assert(possible.includes(outcome), outcome);
  });
}

Deno.test("request() does not reuse a connection on which a request was not sent completely", async () => {
  const over = Promise.withResolvers<void>();
  await using server = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(ok(""));
    await over.promise;
  });
  using client = createTestClient();
  for (const round of [1, 2]) {
    await client.fetch(server.origin, { method: "POST", body: new Uint8Array(50_000_000) });
    assertEquals(server.connections(), round);
  }
  over.resolve();
});

const BREAKS: readonly { name: string; input: string; expected: string }[] = [
  { name: "before the head", input: "", expected: "connection_terminated" },
  {
    name: "inside the head",
    input: "HTTP/1.1 200 OK\r\nx: y",
    expected: "connection_terminated",
  },
  {
    name: "inside the body",
    input: ok("abc").slice(0, -1),
    expected: "http_response_incomplete",
  },
  {
    name: "inside a long body",
    input: ok("abc".repeat(50_000)).slice(0, -1),
    expected: "http_response_incomplete",
  },
  {
    name: "inside a chunk",
    input: chunked("abc").slice(0, -8),
    expected: "http_response_incomplete",
  },
  {
    name: "before the last chunk",
    input: chunked("abc").slice(0, -5),
    expected: "http_response_incomplete",
  },
  {
    name: "inside the end",
    input: chunked("abc").slice(0, -1),
    expected: "http_response_incomplete",
  },
];

for (const { name, input, expected } of BREAKS) {
  Deno.test(`request() fails when the connection ends or is reset ${name}`, async () => {
    for (const reading of READINGS) {
      for (const isReset of [false, true]) {
        await using server = startRaw(async (connection) => {
          await connection.readHead();
          await connection.write(input);
          if (!isReset) await connection.closeWrite();
          else connection.close(); // with a body that was not read
          await connection.peerClosed();
        });
        using client = createTestClient();
        const body = isReset ? new Uint8Array(500_000) : null;
        const asking = client.fetch(server.origin, { method: "POST", body, reading });
        const { code, retryable } = await assertRejects(() => asking, ProxyError);
        // The client does not see the bytes that a reset overtakes.
        const codes = isReset ? [expected, "connection_terminated"] : [expected];
        assert(codes.includes(code), code);
        assertEquals(retryable, false);
      }
    }
  });
}
