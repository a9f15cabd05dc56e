import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  filterBodyHeaders,
  filterCrossOriginHeaders,
  filterRequestHeaders,
  filterResponseHeaders,
  filterUpstreamHeaders,
  replaceFields,
} from "../../src/forward/headers.ts";
import type { HeaderPairs } from "../../src/protocol/mod.ts";

const NOT_SENT = `connection keep-alive te trailer transfer-encoding upgrade expect http2-settings
  content-length host forwarded via x-real-ip x-host x-http-host-override metadata metadata-flavor
  proxy-authorization proxy-connection proxy-authenticate proxy-anything
  x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-anything
  sec-websocket-key sec-websocket-version sec-websocket-protocol sec-websocket-anything
  x-aws-ec2-metadata-token x-aws-ec2-metadata-token-ttl-seconds`.split(/\s+/);

const SENT =
  `accept accept-encoding authorization cookie content-type content-encoding user-agent origin
  referer range if-none-match idempotency-key x-api-key x-custom cache-control hosts x-via trailers
  proxy x-forward metadata-x sec-fetch-mode`.split(/\s+/);

for (const name of NOT_SENT) {
  Deno.test(`filterRequestHeaders() drops ${name}, in any spelling that CGI does not distinguish`, () => {
    const title = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    const spellings = [name, name.toUpperCase(), title];
    const names = spellings.flatMap((
      each,
    ) => [each, each.replaceAll("-", "_"), each.replace("-", ".")]);
    const headers = names.map((name) => [name, "x"] as const);
    assertEquals(filterRequestHeaders([...headers, ["x-kept", "y"]]), [["x-kept", "y"]]);
  });
}

Deno.test("filterRequestHeaders() keeps all other fields, in order and repeated", () => {
  const headers = [...SENT, "X-Custom", "cookie"].map((name) => [name, `of ${name}`] as const);
  assertEquals(filterRequestHeaders(headers), headers);
});

const CONNECTION = [
  { name: "another spelling", input: [["connection", "x_hop, X_Other"]], expected: ["x-kept"] },
  { name: "one name", input: [["Connection", "X-Hop"]], expected: ["X-Other", "x-kept"] },
  { name: "a list", input: [["connection", " x-hop ,close,\tX-Other,"]], expected: ["x-kept"] },
  {
    name: "two fields",
    input: [["connection", "x-hop"], ["CONNECTION", "x-other"]],
    expected: ["x-kept"],
  },
  { name: "nothing", input: [["connection", ""]], expected: ["x-hop", "X-Other", "x-kept"] },
  {
    name: "close and keep-alive, which are no fields",
    input: [["connection", "Keep-Alive"], ["connection", "CLOSE"]],
    expected: ["x-hop", "X-Other", "x-kept"],
  },
  {
    name: "a name after a byte A0, which is no whitespace",
    input: [["connection", "\xa0x-hop, x-other"]],
    expected: ["x-hop", "x-kept"],
  },
  {
    name: "nothing, by a field of another name",
    input: [["x-connection", "x-hop"], ["connectioo", "x-hop"]],
    expected: ["x-hop", "X-Other", "x-kept", "x-connection", "connectioo"],
  },
] as const;

for (const { name, input, expected } of CONNECTION) {
  Deno.test(`filterRequestHeaders() drops the fields that connection names: ${name}`, () => {
    const headers: HeaderPairs = [["x-hop", ""], ["X-Other", ""], ["x-kept", ""], ...input];
    assertEquals(filterRequestHeaders(headers).map(([name]) => name), expected);
  });
}

for (const name of ["x-original-url", "X-Original-URI", "x_rewrite_url", "X-Override_Url"]) {
  Deno.test(`filterUpstreamHeaders() drops ${name}`, () => {
    assertEquals(filterUpstreamHeaders([[name, "/admin"], ["x-url", "y"]]), [["x-url", "y"]]);
  });
}

Deno.test("filterUpstreamHeaders() returns the list itself when it drops nothing", () => {
  const headers: HeaderPairs = [["x-url", "y"]];
  assertStrictEquals(filterUpstreamHeaders(headers), headers);
});

const REPLACED: readonly { name: string; input: HeaderPairs; expected: HeaderPairs }[] = [
  { name: "nothing", input: [["x-key", "mine"]], expected: [["x-key", "mine"]] },
  { name: "the same name", input: [["x-api-key", "mine"]], expected: [] },
  { name: "another case", input: [["X-Api-KEY", "mine"]], expected: [] },
  { name: "underscores", input: [["x_api_key", "mine"], ["X_Api-Key", "mine"]], expected: [] },
  { name: "other characters", input: [["x.api~key", "mine"]], expected: [] },
  { name: "a longer name", input: [["x-api-keys", "y"]], expected: [["x-api-keys", "y"]] },
];

for (const { name, input, expected } of REPLACED) {
  Deno.test(`replaceFields() replaces ${name}`, () => {
    for (const field of ["x-api-key", "X_API_KEY"]) {
      const others: HeaderPairs = [[field, "ours"], ["y", "z"]];
      assertEquals(replaceFields(input, others), [...expected, ...others]);
    }
  });
}

Deno.test("replaceFields() returns the list itself when there are no others", () => {
  const headers: HeaderPairs = [["x", "y"]];
  assertStrictEquals(replaceFields(headers, []), headers);
});

Deno.test("filterResponseHeaders() drops the fields that connection names", () => {
  const headers = new Headers({ connection: "X-Hop, close", "x-hop": "1", "x-kept": "2" });
  headers.append("connection", "x-other");
  headers.append("x-other", "3");
  assertEquals(filterResponseHeaders([...headers], false), [["x-kept", "2"]]);
});

Deno.test("filterResponseHeaders() drops hop-by-hop fields, and keeps each Set-Cookie", () => {
  const hop = ["Connection", "keep-alive", "TE", "trailer", "upgrade"];
  const headers = new Headers([
    ...[...hop, "proxy-authenticate", "Proxy-Status", "Proxy-Connection"].map((
      name,
    ): [string, string] => [name, "x"]),
    ["set-cookie", "a=1"],
    ["content-encoding", "gzip"],
    ["Content-Length", "3"],
    ["via", "1.1 x"],
    ["set-cookie", "b=2"],
  ]);
  const kept: HeaderPairs = [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["via", "1.1 x"]];
  const coding: HeaderPairs = [["content-encoding", "gzip"], ["content-length", "3"]];
  assertEquals(filterResponseHeaders([...headers], true), kept);
  assertEquals(filterResponseHeaders([...headers], false), [...coding, ...kept]);
});

Deno.test("filterResponseHeaders() drops a length beside transfer-encoding, which is not valid", () => {
  const headers = new Headers({ "content-length": "2", "transfer-encoding": "chunked" });
  assertEquals(filterResponseHeaders([...headers], false), []);
});

Deno.test("filterCrossOriginHeaders() keeps what is known to contain no secret, and nothing else", () => {
  const kept = `accept Accept-Charset accept-encoding accept-language cache-control content-digest
    content-encoding content-language content-location content-type dnt idempotency-key Idempotency-Key
    if-match if-modified-since if-none-match if-range if-unmodified-since last-event-id pragma prefer
    priority range repr-digest sec-gpc traceparent tracestate User-Agent x-requested-with`;
  const dropped = `authorization Authorization COOKIE x-api-key X-Api-Key apikey x-auth-token
    private-token x-csrf-token x-amz-security-token sessionid x-session x-passwd x-pwd x-sid phpsessid
    api_key X_API_KEY x-jwt x-signature x-custom x-request-id baggage referer origin from
    accept_language x-accept a`;
  const toHeaders = (names: string) => names.split(/\s+/).map((name) => [name, "x"] as const);
  assertEquals(filterCrossOriginHeaders(toHeaders(kept)), toHeaders(kept));
  assertEquals(filterCrossOriginHeaders(toHeaders(dropped)), []);
});

Deno.test("filterBodyHeaders() drops the fields that describe a body", () => {
  const body = ["content-type", "Content-Encoding", "CONTENT-LANGUAGE", "content-location"];
  const headers = [...body, "accept", "x-content-type"].map((name) => [name, "x"] as const);
  assertEquals(filterBodyHeaders(headers), [["accept", "x"], ["x-content-type", "x"]]);
});

Deno.test("filterResponseHeaders() keeps the fields of a body that stays coded", () => {
  const headers: HeaderPairs = [["content-encoding", "gzip, x"], ["content-length", "3"]];
  assertEquals(filterResponseHeaders(headers, false), headers);
});

const AUTHENTICATE = [
  "NTLM",
  "NTLM TlRMTVNTUAAC",
  "Negotiate",
  "Negotiate YII=",
  'Basic realm="x"',
];

Deno.test("filterResponseHeaders() keeps every www-authenticate as it is", () => {
  const headers = AUTHENTICATE.map((value) => ["www-authenticate", value] as const);
  assertEquals(filterResponseHeaders(headers, false), headers);
});

Deno.test("filterRequestHeaders() returns the list itself when it drops nothing", () => {
  const headers: HeaderPairs = [["accept", "x"], ["X-A", "y"]];
  assertStrictEquals(filterRequestHeaders(headers), headers);
});

Deno.test("filterRequestHeaders() returns an empty list itself", () => {
  const none: HeaderPairs = [];
  assertStrictEquals(filterRequestHeaders(none), none);
});
