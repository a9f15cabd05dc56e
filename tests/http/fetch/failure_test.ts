import { assertEquals, assertMatch } from "@std/assert";
import { type FetchAttempt, toBodyError, toRequestError } from "../../../src/http/fetch/failure.ts";

const ATTEMPT: FetchAttempt = {
  method: "GET",
  isTls: false,
  isProxied: false,
  isUnchecked: false,
  mayBeRepeated: false,
};
const POST = { ...ATTEMPT, method: "POST" };

// What is expected: code, sent, retryable with GET, retryable with POST.
type Expected = readonly [code: string, sent: string, get: boolean, post: boolean];

const TERMINATED: Expected = ["connection_terminated", "maybe", true, false];
const NOT_HTTP: Expected = ["http_protocol_error", "yes", false, false];

// What hyper says, the scheme, and the code, sent and retryable of a POST.
const THROWN = `
(Connect): dns error: failed to lookup address | http | dns_error no true
(Connect): tcp connect error: Connection timed out (os error 110) | http | connection_timeout no true
(Connect): tcp connect error: Connection refused (os error 111) | https | connection_refused no true
(Connect): tcp connect error: No route to host | https | destination_unavailable no true
(Connect): Connection reset by peer | http | destination_unavailable no true
(Connect): Connection reset by peer (os error 104) | https | connection_terminated no true
(Connect): tls handshake eof | https | connection_terminated no true
(Connect): peer is incompatible: NoCipherSuitesInCommon | https | tls_protocol_error no false
(Connect): invalid peer certificate: UnknownIssuer | https | tls_certificate_error no false
(Connect): something new | http | destination_unavailable no true
(Connect): something new | https | tls_protocol_error no false
received fatal alert: CertificateRequired | https | tls_protocol_error maybe false
(SendRequest): connection error: received fatal alert: InternalError | https | tls_protocol_error maybe false
(SendRequest): connection error: Connection reset | https | connection_terminated maybe false
peer closed connection without sending TLS close_notify: https://x | https | connection_terminated maybe false
Connection reset by peer (os error 104) | https | connection_terminated maybe false
(SendRequest): received unexpected message from connection | http | http_protocol_error yes false
(SendRequest): invalid HTTP version parsed | http | http_protocol_error yes false
(SendRequest): http2 error: stream error: frame with invalid size | https | http_protocol_error yes false
(SendRequest): something new | https | connection_terminated maybe false
`.trim().split("\n").map((row) => row.split(" | "));

for (const [input = "", scheme, expected] of THROWN) {
  Deno.test(`toRequestError() reads ${input} (${scheme})`, () => {
    const prefix = "error sending request for url (http://x/): client error ";
    const cause = new Error(input.startsWith("(") ? prefix + input : input);
    const thrown = new TypeError("fetch failed", { cause });
    const error = toRequestError(thrown, { ...POST, isTls: scheme === "https" });
    assertEquals([error.code, error.sent, error.retryable].join(" "), expected);
    assertEquals(error.cause, thrown);
  });
}

// What fails through a proxy, the scheme, and a part of the message.
const PROXIED = [
  ["tcp connect error: Connection refused (os error 111)", "http", /proxy cannot be reached/],
  ["dns error: no record", "https", /proxy cannot be reached/],
  ["Proxy server unreachable", "https", /proxy cannot be reached/],
  ["Invalid response version", "http", /proxy cannot be reached/],
  ["received corrupt message of type InvalidContentType", "http", /proxy cannot be reached/],
  ["proxy authentication required", "https", /user and a password/],
  ["unsuccessful tunnel", "https", /no connection to the destination/],
  ["unexpected eof while tunneling", "https", /no connection to the destination/],
  ["Connection reset by peer (os error 104)", "https", /no connection to the destination/],
  ["tls handshake eof", "https", /no connection to the destination/],
] as const;

for (const [text, scheme, part] of PROXIED) {
  Deno.test(`toRequestError() tells a proxy's ${text} (${scheme}) from the destination's failures`, () => {
    const cause = new Error(`client error (Connect): ${text}`);
    const attempt = { ...POST, isTls: scheme === "https", isProxied: true };
    const error = toRequestError(new TypeError("fetch failed", { cause }), attempt);
    const isRetryable = text !== "proxy authentication required";
    assertEquals([error.code, error.sent, error.retryable], [
      "destination_unavailable",
      "no",
      isRetryable,
    ]);
    assertMatch(error.message, part);
  });
}

Deno.test("toRequestError() reads what the destination says of TLS behind a proxy, unless its address was not checked", () => {
  const attempt = { ...ATTEMPT, isTls: true, isProxied: true };
  const read = (text: string, isUnchecked: boolean): string => {
    const cause = new Error(`client error (Connect): ${text}`);
    const { code, message } = toRequestError(new TypeError("fetch failed", { cause }), {
      ...attempt,
      isUnchecked,
    });
    return `${code} ${message}`;
  };
  const texts = [
    "invalid peer certificate: UnknownIssuer",
    "received fatal alert: HandshakeFailure",
    "unsuccessful tunnel",
  ];
  const codes = texts.map((text) => read(text, false).split(" ")[0]);
  assertEquals(codes, ["tls_certificate_error", "tls_protocol_error", "destination_unavailable"]);
  assertEquals(new Set(texts.map((text) => read(text, true))).size, 1);
  assertMatch(read("tcp connect error: Connection refused", true), /proxy cannot be reached/);
});

Deno.test("toRequestError() says maybe where fetch may have sent the request before it connected", () => {
  const cause = new Error("client error (Connect): tcp connect error: Connection refused");
  const thrown = new TypeError("fetch failed", { cause });
  const [get, post] = [ATTEMPT, POST].map((attempt) =>
    toRequestError(thrown, { ...attempt, mayBeRepeated: true })
  );
  assertEquals([get?.code, get?.sent, get?.retryable], ["connection_refused", "maybe", true]);
  assertEquals([post?.sent, post?.retryable], ["maybe", false]);
});

Deno.test(
  "toRequestError() blames the request if fetch does not try it, and otherwise the proxy",
  () => {
    const describe = (thrown: unknown) => {
      const { code, sent, cause } = toRequestError(thrown, ATTEMPT);
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
  const error = toRequestError(new TypeError("fetch failed", { cause }), POST);
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
    const [get, post] = [ATTEMPT, POST].map((attempt) => toRequestError(thrown, attempt));
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
  const { code, sent, retryable, cause } = toRequestError(blocked, ATTEMPT);
  assertEquals([code, sent, retryable, cause], ["http_request_denied", "no", false, blocked]);
  const other = new TypeError("x Fetch failed: Requests to port 25 are blocked");
  assertEquals(toRequestError(other, ATTEMPT).code, "bad_request");
});
