import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  filterBodyHeaders,
  filterCrossOriginHeaders,
  filterRequestHeaders,
  filterResponseHeaders,
} from "../../src/forward/headers.ts";
import type { HeaderPairs } from "../../src/protocol/mod.ts";

const NOT_SENT = `connection keep-alive te trailer transfer-encoding upgrade expect http2-settings
  content-length host forwarded via x-real-ip metadata metadata-flavor
  proxy-authorization proxy-connection proxy-authenticate proxy-anything
  x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-anything
  sec-websocket-key sec-websocket-version sec-websocket-protocol sec-websocket-anything
  x-aws-ec2-metadata-token x-aws-ec2-metadata-token-ttl-seconds`.split(/\s+/);

const SENT =
  `accept accept-encoding authorization cookie content-type content-encoding user-agent origin
  referer range if-none-match idempotency-key x-api-key x-custom cache-control hosts x-via trailers
  proxy x-forward metadata-x sec-fetch-mode`.split(/\s+/);

for (const name of NOT_SENT) {
  Deno.test(`filterRequestHeaders() drops ${name}, in any case`, () => {
    const title = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    const names = [name, name.toUpperCase(), title];
    const headers = names.map((name) => [name, "x"] as const);
    assertEquals(filterRequestHeaders([...headers, ["x-kept", "y"]]), [["x-kept", "y"]]);
  });
}

Deno.test("filterRequestHeaders() keeps all other fields, in order and repeated", () => {
  const headers = [...SENT, "X-Custom", "cookie"].map((name) => [name, `of ${name}`] as const);
  assertEquals(filterRequestHeaders(headers), headers);
});

const CONNECTION = [
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

Deno.test("filterCrossOriginHeaders() drops credentials, keys and tokens, and keeps the rest", () => {
  const secret =
    `authorization Authorization COOKIE x-api-key X-Api-Key x-apikey apikey api-key x-auth-token
    private-token x-csrf-token x-amz-security-token x-goog-api-key ocp-apim-subscription-key x-functions-key
    x-session x-secret client-secret x-authorization x-auth x-password x-credential x-credentials-id
    api_key X_API_KEY auth_token x-accesstoken accesskey x-jwt x-signature
    x_api_key_id`;
  const ordinary =
    `idempotency-key Idempotency-Key accept content-type user-agent x-request-id x-keyboard
    if-match x-tokens author cache-control`;
  const toHeaders = (names: string) => names.split(/\s+/).map((name) => [name, "x"] as const);
  assertEquals(filterCrossOriginHeaders(toHeaders(secret)), []);
  assertEquals(filterCrossOriginHeaders(toHeaders(ordinary)), toHeaders(ordinary));
});

Deno.test("filterBodyHeaders() drops the fields that describe a body", () => {
  const body = ["content-type", "Content-Encoding", "CONTENT-LANGUAGE", "content-location"];
  const headers = [...body, "accept", "x-content-type"].map((name) => [name, "x"] as const);
  assertEquals(filterBodyHeaders(headers), [["accept", "x"], ["x-content-type", "x"]]);
});

Deno.test("filterResponseHeaders() drops a length beside two codings, of which fetch may have decoded one", () => {
  const [length, kept] = [["content-length", "3"], ["x", "1"]] as const;
  for (const [coding, isSized] of [["gzip, x", false], ["x", true], [",", false]] as const) {
    const headers: HeaderPairs = [["content-encoding", coding], length, kept];
    const expected = isSized ? headers : [["content-encoding", coding], kept];
    assertEquals(filterResponseHeaders(headers, false), expected);
  }
});

Deno.test("filterRequestHeaders() returns an empty list itself", () => {
  const none: HeaderPairs = [];
  assertStrictEquals(filterRequestHeaders(none), none);
});
