import { assertEquals } from "@std/assert";
import { toBodyError, toRequestError } from "../../../src/http/fetch/failure.ts";

// What is expected: code, sent, retryable with GET, retryable with POST.
type Expected = readonly [code: string, sent: string, get: boolean, post: boolean];

const TERMINATED: Expected = ["connection_terminated", "maybe", true, false];
const NOT_HTTP: Expected = ["http_protocol_error", "yes", false, false];

// What hyper says, and the code, sent and retryable of a POST.
const THROWN = `
(Connect): dns error: failed to lookup address | dns_error no true
(Connect): tcp connect error: Connection timed out (os error 110) | connection_timeout no true
(Connect): tcp connect error: Connection refused (os error 111) | connection_refused no true
(Connect): tcp connect error: No route to host | destination_unavailable no true
(Connect): Connection reset by peer | destination_unavailable no true
(Connect): peer is incompatible: NoCipherSuitesInCommon | tls_protocol_error no false
(Connect): invalid peer certificate: UnknownIssuer | tls_certificate_error no false
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
  "toRequestError() blames the request if fetch does not try it, and otherwise the proxy",
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

Deno.test("toRequestError() finds the reason at the beginning of the message", () => {
  const cause = new Error("client error (Connect): something new");
  const error = toRequestError(new TypeError("fetch failed", { cause }), "POST");
  assertEquals([error.code, error.sent], ["destination_unavailable", "no"]);
});

// The texts of Deno when HTTP/2 fails after connecting.
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

Deno.test("toBodyError() blames the coding only where there is one, and only when the connection has not ended", () => {
  const thrown = new TypeError("unexpected end of file");
  assertEquals(toBodyError(thrown, "GET", true).code, "http_response_content_coding");
  assertEquals(toBodyError(thrown, "GET", false).code, "http_response_incomplete");
  const ended = new TypeError("error reading a body from connection");
  for (const [method, retryable] of [["GET", true], ["POST", false]] as const) {
    const error = toBodyError(ended, method, true);
    assertEquals([error.code, error.retryable, error.cause], [
      "http_response_incomplete",
      retryable,
      ended,
    ]);
  }
});

Deno.test("toRequestError() recognizes a port that fetch refuses, and nothing else by that text", () => {
  const blocked = new TypeError("Fetch failed: Requests to port 25 are blocked");
  const { code, sent, retryable, cause } = toRequestError(blocked, "GET");
  assertEquals([code, sent, retryable, cause], ["http_request_denied", "no", false, blocked]);
  const other = new TypeError("x Fetch failed: Requests to port 25 are blocked");
  assertEquals(toRequestError(other, "GET").code, "bad_request");
});
