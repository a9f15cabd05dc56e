import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { toBodyError, toRequestError } from "../../../src/http/fetch/failure.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createForwardClient, type HttpClientName, testEach } from "../../helpers/http_clients.ts";
import { latin1, startHttp, startRaw } from "../../helpers/upstream.ts";

const certificates = new URL("../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, certificates))
) as [string, string, string];

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

/** Makes the request with GET and with POST, to the end of the body, and describes how it fails. */
async function failure(
  by: HttpClientName,
  url: string,
  caCerts = [ca],
): Promise<Expected> {
  using client = createForwardClient(by, caCerts);
  const options = { check: () => ({}), signal: new AbortController().signal };
  const [get, post] = await Promise.all(["GET", "POST"].map((method) => {
    const blank = { headers: [], body: null, redirect: "follow" } as const;
    const request = { method, url: new URL(url), ...blank };
    return assertRejects(
      async () => (await client.forward(request, options)).bytes(1000),
      ProxyError,
    );
  })) as [ProxyError, ProxyError];
  assertEquals([get.code, get.sent], [post.code, post.sent]);
  return [get.code, get.sent, get.retryable, post.retryable];
}

const GZIP = String.fromCharCode(...gzipSync("text"));
const ok = (field: string, body = ""): string => `HTTP/1.1 200 OK\r\n${field}\r\n\r\n${body}`;
const chunked = (body: string): string => ok("transfer-encoding: chunked", body);
const coded = (coding: string, length: number, body: string): string =>
  ok(`content-encoding: ${coding}\r\ncontent-length: ${length}`, body);

const ANSWERS: readonly { name: string; input: string; expected: Expected }[] = [
  { name: "no byte", input: "", expected: TERMINATED },
  { name: "half a head", input: "HTTP/1.1 200 OK\r\nx: ", expected: TERMINATED },
  { name: "another protocol", input: "220 smtp.example ESMTP\r\n\r\n", expected: NOT_HTTP },
  { name: "a body without a head", input: "<!doctype html>", expected: NOT_HTTP },
  { name: "another version", input: "HTTP/3.0 200 OK\r\n\r\n", expected: NOT_HTTP },
  { name: "a status that is none", input: "HTTP/1.1 abc OK\r\n\r\n", expected: NOT_HTTP },
  { name: "a status too low", input: "HTTP/1.1 99 OK\r\n\r\n", expected: NOT_HTTP },
  { name: "an unasked 101", input: "HTTP/1.1 101 \r\nupgrade: x\r\n\r\n", expected: NOT_HTTP },
  { name: "a header line without colon", input: ok("x y"), expected: NOT_HTTP },
  { name: "a NUL in a header", input: ok("x: a\0b"), expected: NOT_HTTP },
  { name: "a length that is none", input: ok("content-length: -1"), expected: NOT_HTTP },
  { name: "two lengths", input: ok("content-length: 1\r\ncontent-length: 2"), expected: NOT_HTTP },
  { name: "more than 100 fields", input: ok("x: y\r\n".repeat(100) + "z:"), expected: NOT_HTTP },
  { name: "less than its length", input: ok("content-length: 9", "abc"), expected: INCOMPLETE },
  { name: "half a chunk", input: chunked("5\r\nhel"), expected: INCOMPLETE },
  { name: "no last chunk", input: chunked("2\r\nab\r\n"), expected: INCOMPLETE },
  { name: "a chunk size that is none", input: chunked("z\r\nab\r\n0"), expected: INCOMPLETE },
  { name: "text that says it is gzip", input: coded("gzip", 4, "text"), expected: MISCODED },
  { name: "gzip cut short", input: coded("gzip", 9, GZIP.slice(0, 9)), expected: MISCODED },
  {
    name: "gzip that breaks off",
    input: coded("gzip", 15, GZIP.slice(0, 9)),
    expected: INCOMPLETE,
  },
];

Deno.test("createForward() tells of a destination that answers with text that says it is br (fetch)", async () => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(coded("br", 4, "text"));
    connection.close();
  });
  assertEquals(await failure("fetch", upstream.origin), MISCODED);
});

for (const { name, input, expected } of ANSWERS) {
  testEach(`createForward() tells of a destination that answers with ${name}`, async (by) => {
    await using upstream = startRaw(async (connection) => {
      await connection.readHead();
      await connection.write(input);
      connection.close();
    });
    assertEquals(await failure(by, upstream.origin), expected);
  });
}

testEach("createForward() tells of a response head that never ends", async (by) => {
  await using upstream = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\n");
    for (;;) await connection.write(`x: ${"a".repeat(10_000)}\r\n`);
  });
  assertEquals(await failure(by, upstream.origin), NOT_HTTP);
});

testEach("createForward() tells of a connection refused, there or by fetch itself", async (by) => {
  await using upstream = startRaw(() => Promise.resolve());
  // Nothing listens on this port of the other loopback address.
  assertEquals(await failure(by, `http://127.0.0.3:${upstream.port}/`), REFUSED);
  assertEquals(await failure(by, `https://127.0.0.3:${upstream.port}/`), REFUSED);
  assertEquals(await failure(by, "http://127.0.0.1:25/"), BLOCKED);
});

testEach(
  "createForward() tells of certificates that are not trusted or for another name",
  async (by) => {
    await using upstream = startHttp(() => new Response(), { cert, key });
    await using other = startHttp(() => new Response(), { cert, key, hostname: "127.0.0.2" });
    assertEquals(await failure(by, `https://localhost:${upstream.port}/`, []), UNTRUSTED);
    assertEquals(await failure(by, `https://127.0.0.2:${other.port}/`), UNTRUSTED);
    assertEquals([...upstream.requests, ...other.requests], []);
  },
);

testEach("createForward() tells of TLS and plain text on each other's port", async (by) => {
  await using plain = startHttp(() => new Response());
  await using secure = startHttp(() => new Response(), { cert, key });
  assertEquals(await failure(by, `https://127.0.0.1:${plain.port}/`), NO_TLS);
  assertEquals(await failure(by, `http://127.0.0.1:${secure.port}/`), NOT_HTTP);
});

const HANDSHAKES = [
  { name: "ends", input: (connection: Deno.TcpConn) => connection.closeWrite() },
  {
    name: "is refused by an alert",
    input: (connection: Deno.TcpConn) => connection.write(latin1("\x15\x03\x03\x00\x02\x02\x28")),
  },
];

for (const { name, input } of HANDSHAKES) {
  testEach(`createForward() tells of a handshake that ${name}`, async (by) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for (const _ of ["GET", "POST"]) {
        using connection = await listener.accept();
        await connection.read(new Uint8Array(4096));
        await input(connection);
        await connection.read(new Uint8Array(4096)).catch(() => null);
      }
    })();
    assertEquals(await failure(by, `https://127.0.0.1:${listener.addr.port}/`), NO_TLS);
    await answering;
    listener.close();
  });
}

// A URL holds what a client wrote, and must not be taken for what happened.
const IMITATIONS = [
  "?client error (Connect): dns error",
  "/client error (Connect): invalid peer certificate",
  "/(Connect):dns_error?(Connect)#client error (Connect): Connection refused",
  "?tls%20handshake%20eof&client+error+(Connect):+message+head+is+too+large",
];

testEach("createForward() takes nothing in a URL for the reason", async (by) => {
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

const THROWN = `
(Connect): dns error: failed to lookup address | dns_error no true
(Connect): tcp connect error: Connection timed out (os error 110) | connection_timeout no true
(Connect): tcp connect error: No route to host | destination_unavailable no true
(Connect): Connection reset by peer | destination_unavailable no true
(Connect): peer is incompatible: NoCipherSuitesInCommon | tls_protocol_error no false
(SendRequest): connection error: received fatal alert | tls_protocol_error maybe false
(SendRequest): connection error: Connection reset | connection_terminated maybe false
(SendRequest): http2 error: stream error: frame with invalid size | http_protocol_error yes false
(SendRequest): something new | connection_terminated maybe false
`.trim().split("\n").map((row) => row.split(" | "));

for (const [input, expected] of THROWN) {
  Deno.test(`toRequestError() reads ${input}`, () => {
    const cause = new Error(`error sending request for url (http://x/): client error ${input}`);
    const thrown = new TypeError("fetch failed", { cause });
    const error = toRequestError(thrown, "POST");
    assertEquals([error.code, error.sent, error.retryable].join(" "), expected);
    assertEquals(error.cause, thrown);
  });
}

Deno.test(
  "toRequestError() takes for a mistake what fetch does not try, and the rest for a bug here",
  () => {
    const describe = (thrown: unknown) => {
      const { code, sent, cause } = toRequestError(thrown, "GET");
      return [code, sent, cause];
    };
    const refused = new TypeError("Invalid URL http://a/?secret");
    assertEquals(describe(refused), ["bad_request", "no", undefined]);
    const nested = new Error("x", { cause: new Error("client error (Connect): dns error") });
    for (const thrown of [nested, "client error (Connect)", undefined]) {
      assertEquals(describe(thrown), ["proxy_internal_error", "maybe", thrown]);
    }
  },
);

// How Deno tells of what failed over HTTP/2 after connecting.
const HTTP2 = [
  { input: "stream closed because of a broken pipe", expected: TERMINATED },
  { input: "stream error received: unexpected internal error encountered", expected: TERMINATED },
  { input: "connection error received: not a result of an error", expected: TERMINATED },
  { input: "connection error detected: frame with invalid size", expected: NOT_HTTP },
  { input: "stream error detected: unspecific protocol error detected", expected: NOT_HTTP },
];

for (const { input, expected } of HTTP2) {
  Deno.test(`toRequestError() reads HTTP/2's ${input}`, () => {
    const thrown = new TypeError("fetch failed", { cause: new Error(input) });
    const [get, post] = ["GET", "POST"].map((method) => toRequestError(thrown, method));
    assertEquals([get?.code, get?.sent, get?.retryable, post?.retryable], [...expected]);
  });
}

for (const [input, expected] of [["", TERMINATED], ["junk".repeat(9), NOT_HTTP]] as const) {
  testEach(
    `createForward() tells of ${input === "" ? "nothing" : "junk"} over HTTP/2`,
    async (by) => {
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
      assertEquals(await failure(by, `https://localhost:${listener.addr.port}/`), expected);
      listener.close();
      await answering;
    },
  );
}

Deno.test("toBodyError() blames the coding only where there is one", () => {
  const thrown = new TypeError("unexpected end of file");
  assertEquals(toBodyError(thrown, "GET", true).code, "http_response_content_coding");
  assertEquals(toBodyError(thrown, "GET", false).code, "http_response_incomplete");
});
