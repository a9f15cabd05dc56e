/**
 * What `forward` throws when a destination fails, with either HTTP client.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createForwardClient, type HttpClientName, testEach } from "../helpers/http_clients.ts";
import { latin1, startHttp, startRaw } from "../helpers/upstream.ts";
import { CERTIFICATE, requestHead } from "./make_request.ts";

const { cert, key, ca } = CERTIFICATE;

// What is expected: code, sent, retryable with GET, retryable with POST.
type Expected = readonly [code: string, sent: string, get: boolean, post: boolean];

const REFUSED: Expected = ["connection_refused", "no", true, true];
const TERMINATED: Expected = ["connection_terminated", "maybe", true, false];
const NOT_HTTP: Expected = ["http_protocol_error", "yes", false, false];
const INCOMPLETE: Expected = ["http_response_incomplete", "yes", true, false];
const MISCODED: Expected = ["http_response_content_coding", "yes", false, false];
const UNTRUSTED: Expected = ["tls_certificate_error", "no", false, false];
const NO_TLS: Expected = ["tls_protocol_error", "no", false, false];
const BLOCKED: Expected = ["http_request_denied", "no", false, false];

/** Makes a request with GET and with POST, reads the body, and describes how both fail. */
async function failure(
  by: HttpClientName,
  url: string,
  caCerts = [ca],
): Promise<Expected> {
  using client = createForwardClient(by, caCerts);
  const [get, post] = await Promise.all(["GET", "POST"].map((method) =>
    assertRejects(
      async () => (await requestHead(client, url, { method })).body?.bytes(1000),
      ProxyError,
    )
  )) as [ProxyError, ProxyError];
  assertEquals([get.code, get.sent], [post.code, post.sent]);
  return [get.code, get.sent, get.retryable, post.retryable];
}

const GZIP = String.fromCharCode(...gzipSync("text"));
const ok = (field: string, body = ""): string => `HTTP/1.1 200 OK\r\n${field}\r\n\r\n${body}`;
const chunked = (body: string): string => ok("transfer-encoding: chunked", body);
const coded = (coding: string, length: number, body: string): string =>
  ok(`content-encoding: ${coding}\r\ncontent-length: ${length}`, body);

const RESPONSES: readonly { name: string; input: string; expected: Expected }[] = [
  { name: "no byte", input: "", expected: TERMINATED },
  { name: "half a head", input: "HTTP/1.1 200 OK\r\nx: ", expected: TERMINATED },
  { name: "another protocol", input: "220 smtp.example ESMTP\r\n\r\n", expected: NOT_HTTP },
  { name: "a body without a head", input: "<!doctype html>", expected: NOT_HTTP },
  { name: "another version", input: "HTTP/3.0 200 OK\r\n\r\n", expected: NOT_HTTP },
  { name: "a status that is not a number", input: "HTTP/1.1 abc OK\r\n\r\n", expected: NOT_HTTP },
  { name: "a status that is too low", input: "HTTP/1.1 99 OK\r\n\r\n", expected: NOT_HTTP },
  {
    name: "a 101 that no request asks for",
    input: "HTTP/1.1 101 \r\nupgrade: x\r\n\r\n",
    expected: NOT_HTTP,
  },
  { name: "a header line without colon", input: ok("x y"), expected: NOT_HTTP },
  { name: "a NUL in a header", input: ok("x: a\0b"), expected: NOT_HTTP },
  { name: "a length that is not valid", input: ok("content-length: -1"), expected: NOT_HTTP },
  { name: "two lengths", input: ok("content-length: 1\r\ncontent-length: 2"), expected: NOT_HTTP },
  {
    name: "more than 10,000 fields",
    input: ok("x: y\r\n".repeat(10_000) + "z:"),
    expected: NOT_HTTP,
  },
  { name: "shorter than its length", input: ok("content-length: 9", "abc"), expected: INCOMPLETE },
  { name: "half a chunk", input: chunked("5\r\nhel"), expected: INCOMPLETE },
  { name: "no last chunk", input: chunked("2\r\nab\r\n"), expected: INCOMPLETE },
  { name: "a chunk size that is not valid", input: chunked("z\r\nab\r\n0"), expected: INCOMPLETE },
  { name: "text coded as gzip by its field", input: coded("gzip", 4, "text"), expected: MISCODED },
  { name: "gzip cut short", input: coded("gzip", 9, GZIP.slice(0, 9)), expected: MISCODED },
  {
    name: "gzip that breaks off",
    input: coded("gzip", 15, GZIP.slice(0, 9)),
    expected: INCOMPLETE,
  },
];

Deno.test("forward() fails when the response is text coded as br by its field (fetch)", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(coded("br", 4, "text"));
    connection.close();
  });
  assertEquals(await failure("fetch", upstream.origin), MISCODED);
});

for (const { name, input, expected } of RESPONSES) {
  testEach(`forward() fails when the response is ${name}`, async (by) => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(input);
      connection.close();
    });
    assertEquals(await failure(by, upstream.origin), expected);
  });
}

testEach("forward() fails when the head of the response never ends", async (by) => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\n");
    for (;;) await connection.write(`x: ${"a".repeat(10_000)}\r\n`);
  });
  assertEquals(await failure(by, upstream.origin), NOT_HTTP);
});

testEach(
  "forward() fails when the destination or fetch itself refuses the connection",
  async (by) => {
    await using upstream = startRaw(() => Promise.resolve());
    // Nothing listens on this port of the other loopback address.
    assertEquals(await failure(by, `http://127.0.0.3:${upstream.port}/`), REFUSED);
    assertEquals(await failure(by, `https://127.0.0.3:${upstream.port}/`), REFUSED);
    assertEquals(await failure(by, "http://127.0.0.1:25/"), BLOCKED);
  },
);

testEach(
  "forward() fails when the certificate is not trusted or for another name",
  async (by) => {
    await using upstream = startHttp(() => new Response(), { cert, key });
    await using other = startHttp(() => new Response(), { cert, key, hostname: "127.0.0.2" });
    assertEquals(await failure(by, `https://localhost:${upstream.port}/`, []), UNTRUSTED);
    assertEquals(await failure(by, `https://127.0.0.2:${other.port}/`), UNTRUSTED);
    assertEquals([...upstream.requests, ...other.requests], []);
  },
);

testEach(
  "forward() fails when TLS meets plain text on a port, and the other way round",
  async (by) => {
    await using plain = startHttp(() => new Response());
    await using secure = startHttp(() => new Response(), { cert, key });
    assertEquals(await failure(by, `https://127.0.0.1:${plain.port}/`), NO_TLS);
    assertEquals(await failure(by, `http://127.0.0.1:${secure.port}/`), NOT_HTTP);
  },
);

const HANDSHAKES = [
  {
    name: "ends",
    input: (connection: Deno.TcpConn) => connection.closeWrite(),
    expected: ["connection_terminated", "no", true, true],
  },
  {
    name: "is refused by an alert",
    input: (connection: Deno.TcpConn) => connection.write(latin1("\x15\x03\x03\x00\x02\x02\x28")),
    expected: NO_TLS,
  },
];

for (const { name, input, expected } of HANDSHAKES) {
  testEach(`forward() fails when the TLS handshake ${name}`, async (by) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for (const _ of ["GET", "POST"]) {
        using connection = await listener.accept();
        await connection.read(new Uint8Array(4096));
        await input(connection);
        await connection.read(new Uint8Array(4096)).catch(() => null);
      }
    })();
    assertEquals(await failure(by, `https://127.0.0.1:${listener.addr.port}/`), expected);
    await answering;
    listener.close();
  });
}

// Clients choose the text of a URL, which must not be mistaken for the reason of a failure.
const IMITATIONS = [
  "?client error (Connect): dns error",
  "/client error (Connect): invalid peer certificate",
  "/(Connect):dns_error?(Connect)#client error (Connect): Connection refused",
  "?tls%20handshake%20eof&client+error+(Connect):+message+head+is+too+large",
];

testEach("forward() does not take text in a URL for the reason", async (by) => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    connection.close();
  });
  for (const text of IMITATIONS) {
    assertEquals([text, await failure(by, upstream.origin + text)], [text, TERMINATED]);
    const refused = await failure(by, `http://127.0.0.3:${upstream.port}${text}`);
    assertEquals([text, refused], [text, REFUSED]);
  }
});

for (const [input, expected] of [["", TERMINATED], ["junk".repeat(9), NOT_HTTP]] as const) {
  Deno.test(
    `forward() fails when the response over HTTP/2 is ${input === "" ? "nothing" : "junk"} (fetch)`,
    async () => {
      const tls = { cert, key, alpnProtocols: ["h2"] };
      const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...tls });
      const answering = (async () => {
        for await (const connection of listener) {
          // The peer may have hung up, and of two connections it uses one.
          await connection.read(new Uint8Array(4096)).catch(() => {});
          await connection.write(latin1(input)).catch(() => {});
          connection.close();
        }
      })();
      assertEquals(await failure("fetch", `https://localhost:${listener.addr.port}/`), expected);
      listener.close();
      await answering;
    },
  );
}
