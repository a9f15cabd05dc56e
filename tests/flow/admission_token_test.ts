/**
 * Static tokens over real sockets: the response to every kind of handshake, and that no credential is ever repeated,
 * neither to the client nor in the log.
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { createHash } from "node:crypto";
import {
  type AdmissionCase,
  assertAnswer,
  BAD_HANDSHAKE,
  bearing,
  carrying,
  describe,
  encode,
  offering,
  readAnswer,
  UNAUTHORIZED,
} from "../helpers/admission.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { latin1 } from "../helpers/upstream.ts";

const ALICE = "fLzK3vQ9-alice.first~token+1/Ww==";
const ALICE_NEW = "Zp8RbN2x_alice_second_token";
const BOB = "yT5cHj7M-bob-token-kept-as-digest";
const LONG = "Xk4".repeat(2731).slice(0, 8192);
const V1 = "wsfetch.v1";

const TOKENS = {
  AUTH_TOKENS: [
    `alice:${ALICE}`,
    `alice:${ALICE_NEW}`,
    `bob:sha256:${createHash("sha256").update(BOB).digest("hex")}`,
    `long:${LONG}`,
  ].join(),
};
const LISTED = { ...TOKENS, ALLOWED_ORIGINS: "https://app.example.com" };
const NONE = { AUTH: "none" };

interface Case extends AdmissionCase {
  readonly name: string;
  readonly settings?: Record<string, string>;
}

const CASES: readonly Case[] = [
  { name: "no credential", headers: {}, expected: UNAUTHORIZED },
  { name: "no credential, for wsfetch.v1", headers: offering(V1), expected: UNAUTHORIZED },
  { name: "the token", headers: bearing(ALICE), expected: "alice" },
  { name: "the token as a subprotocol", headers: carrying(ALICE), expected: "alice" },
  {
    name: "the token as a subprotocol in front of wsfetch.v1",
    headers: offering(`bearer.${encode(ALICE)}`, V1),
    expected: "alice",
  },
  {
    name: "the token in Authorization, for wsfetch.v1",
    headers: { ...bearing(ALICE), ...offering(V1) },
    expected: "alice",
  },
  { name: "another token of the same name", headers: bearing(ALICE_NEW), expected: "alice" },
  { name: "the token of a digest", headers: bearing(BOB), expected: "bob" },
  { name: "the token of a digest as a subprotocol", headers: carrying(BOB), expected: "bob" },
  { name: "the longest token", headers: bearing(LONG), expected: "long" },
  { name: "the longest token as a subprotocol", headers: carrying(LONG), expected: "long" },
  { name: "a scheme in capitals", headers: { authorization: `BEARER ${BOB}` }, expected: "bob" },
  {
    name: "a scheme in small letters",
    headers: { authorization: `bearer ${BOB}` },
    expected: "bob",
  },
  {
    name: "spaces before the token",
    headers: { authorization: `Bearer   ${BOB}` },
    expected: "bob",
  },
  { name: "a space after the token", headers: bearing(`${BOB} `), expected: "bob" }, // RFC 9110 §5.5
  { name: "a wrong token", headers: bearing("nobody-has-this-token"), expected: UNAUTHORIZED },
  {
    name: "a wrong token as a subprotocol",
    headers: carrying("nobody-has-this-token"),
    expected: UNAUTHORIZED,
  },
  {
    name: "the digest in place of the token",
    headers: bearing(createHash("sha256").update(BOB).digest("hex")),
    expected: UNAUTHORIZED,
  },
  { name: "the name in place of the token", headers: bearing("alice"), expected: UNAUTHORIZED },
  {
    name: "the name before the token",
    headers: bearing(`alice:${ALICE}`),
    expected: BAD_HANDSHAKE,
  },
  { name: "the token in capitals", headers: bearing(BOB.toUpperCase()), expected: UNAUTHORIZED },
  {
    name: "the beginning of the token",
    headers: bearing(BOB.slice(0, -1)),
    expected: UNAUTHORIZED,
  },
  { name: "the end of the token", headers: bearing(BOB.slice(1)), expected: UNAUTHORIZED },
  { name: "more than the token", headers: bearing(`${BOB}=`), expected: UNAUTHORIZED },
  { name: "two tokens joined", headers: bearing(`${ALICE_NEW}${BOB}`), expected: UNAUTHORIZED },
  { name: "two tokens with a space", headers: bearing(`${BOB} ${BOB}`), expected: BAD_HANDSHAKE },
  { name: "two tokens with a comma", headers: bearing(`${BOB},${BOB}`), expected: BAD_HANDSHAKE },
  { name: "Bearer alone", headers: { authorization: "Bearer" }, expected: BAD_HANDSHAKE },
  { name: "Bearer and a space", headers: { authorization: "Bearer " }, expected: BAD_HANDSHAKE },
  { name: "an empty Authorization", headers: { authorization: "" }, expected: UNAUTHORIZED },
  { name: "the token without a scheme", headers: { authorization: BOB }, expected: UNAUTHORIZED },
  { name: "a quoted token", headers: bearing(`"${BOB}"`), expected: BAD_HANDSHAKE },
  { name: "a token with a colon", headers: bearing(`${BOB}:`), expected: BAD_HANDSHAKE },
  { name: "a token in Latin-1", headers: bearing(`${BOB}\xe9`), expected: BAD_HANDSHAKE },
  {
    name: "a tab before the token",
    headers: { authorization: `Bearer\t${BOB}` },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the token as Basic",
    headers: { authorization: `Basic ${btoa(`alice:${ALICE}`)}` },
    expected: UNAUTHORIZED,
  },
  {
    name: "Basic before the token itself",
    headers: { authorization: `Basic ${BOB}` },
    expected: UNAUTHORIZED,
  },
  {
    name: "the token as a response of Digest",
    headers: { authorization: `Digest username="bob", response="${BOB}"` },
    expected: UNAUTHORIZED,
  },
  {
    name: "the token in Proxy-Authorization",
    headers: { "proxy-authorization": `Bearer ${BOB}` },
    expected: UNAUTHORIZED,
  },
  { name: "the token in a cookie", headers: { cookie: `token=${BOB}` }, expected: UNAUTHORIZED },
  { name: "the token as a key", headers: { "x-api-key": BOB }, expected: UNAUTHORIZED },
  {
    name: "two Authorization fields",
    headers: { authorization: `Bearer ${BOB}\r\nauthorization: Bearer ${ALICE}` },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the same Authorization field twice",
    headers: { authorization: `Bearer ${BOB}\r\nauthorization: Bearer ${BOB}` },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "Basic and Bearer",
    headers: {
      authorization: `Basic ${btoa("bob:password-of-bob")}\r\nauthorization: Bearer ${BOB}`,
    },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the token in both places",
    headers: { ...bearing(BOB), ...carrying(BOB) },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "two tokens, one in each place",
    headers: { ...bearing(BOB), ...carrying(ALICE) },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "Basic, and the token as a subprotocol",
    headers: { authorization: `Basic ${btoa("bob:password-of-bob")}`, ...carrying(BOB) },
    expected: "bob",
  },
  {
    name: "two bearer subprotocols",
    headers: offering(V1, `bearer.${encode(ALICE)}`, `bearer.${encode(BOB)}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the same bearer subprotocol twice",
    headers: offering(V1, `bearer.${encode(BOB)}`, `bearer.${encode(BOB)}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol with padding",
    headers: offering(V1, `bearer.${btoa(BOB.slice(1))}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol in the alphabet of base64",
    headers: offering(V1, `bearer.${btoa("~~~???~~~???~~~")}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol that is not UTF-8",
    headers: offering(V1, `bearer.${encode(latin1("\xff\xfe-no-text-\xff"))}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "an empty bearer subprotocol",
    headers: offering(V1, "bearer."),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "bits beyond the end of a bearer subprotocol",
    headers: offering(V1, `bearer.${encode("a-token-of-19-bytes").slice(0, -1)}x`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol of a length that no bytes have",
    headers: offering(V1, `bearer.${encode(BOB.slice(0, 30))}A`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol that is not base64",
    headers: offering(V1, "bearer.!!!not*base64*at*all!!!"),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the bare token as a subprotocol",
    headers: offering(V1, `bearer.${BOB}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "Bearer in capitals as a subprotocol",
    headers: offering(V1, `Bearer.${encode(BOB)}`),
    expected: UNAUTHORIZED,
  },
  {
    name: "a space inside the token of a subprotocol",
    headers: carrying(`${BOB} and more of it`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a line break after the token of a subprotocol",
    headers: carrying(`${BOB}\r\n`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a byte order mark before the token of a subprotocol",
    headers: carrying(`\ufeff${BOB}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol alone",
    headers: offering(`bearer.${encode(BOB)}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "a bearer subprotocol beside an unknown one",
    headers: offering("wsfetch.v9", `bearer.${encode(BOB)}`),
    expected: BAD_HANDSHAKE,
  },
  {
    name: "the token in the query string",
    headers: offering(V1),
    requestLine: `GET /ws?token=${encodeURIComponent(BOB)} HTTP/1.1`,
    expected: UNAUTHORIZED,
  },
  {
    name: "the token as access_token in the query string",
    headers: {},
    requestLine: `GET /ws?access_token=${encodeURIComponent(BOB)} HTTP/1.1`,
    expected: UNAUTHORIZED,
  },
  {
    name: "a wrong token, and the token in the query string",
    headers: bearing("nobody-has-this-token"),
    requestLine: `GET /ws?access_token=${encodeURIComponent(BOB)} HTTP/1.1`,
    expected: UNAUTHORIZED,
  },
  {
    name: "a wrong token in the query string, and the token",
    headers: bearing(BOB),
    requestLine: "GET /ws?access_token=nobody-has-this-token HTTP/1.1",
    expected: "bob",
  },
  { name: "a token of 8193 characters", headers: bearing(`${LONG}x`), expected: BAD_HANDSHAKE },
  {
    name: "a subprotocol of a token of 8193 characters",
    headers: carrying(`${LONG}x`),
    expected: BAD_HANDSHAKE,
  },
  { name: "a token of 30 KB", headers: bearing("hUgE".repeat(7500)), expected: BAD_HANDSHAKE },
  {
    name: "the token from a foreign page",
    headers: { ...bearing(BOB), origin: "https://evil.example" },
    expected: [403, "origin_not_allowed"],
  },
  {
    name: "a malformed credential from a foreign page",
    headers: { authorization: "Bearer", origin: "https://evil.example" },
    expected: [403, "origin_not_allowed"],
  },
  {
    name: "no credential from a foreign page",
    headers: { origin: "null" },
    expected: [403, "origin_not_allowed"],
  },
  {
    name: "no credential from a listed page",
    settings: LISTED,
    headers: { origin: "https://app.example.com" },
    expected: UNAUTHORIZED,
  },
  {
    name: "the token from a listed page",
    settings: LISTED,
    headers: { ...carrying(BOB), origin: "https://app.example.com" },
    expected: "bob",
  },
  {
    name: "the token without an upgrade",
    headers: { ...bearing(BOB), upgrade: undefined, connection: undefined },
    expected: [426, "upgrade_required"],
  },
  {
    name: "a wrong token without an upgrade",
    headers: { ...bearing("nobody-has-this-token"), upgrade: undefined },
    expected: [426, "upgrade_required"],
  },
  {
    name: "the token for an old version",
    headers: { ...bearing(BOB), "sec-websocket-version": "8" },
    expected: [426, "upgrade_required"],
  },
  {
    name: "a wrong token with a malformed key",
    headers: { ...bearing("nobody-has-this-token"), "sec-websocket-key": "c2hvcnQ=" },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "an unknown token, where clients need none",
    settings: NONE,
    headers: bearing("nobody-has-this-token"),
    expected: null,
  },
  {
    name: "an unknown token as a subprotocol, where clients need none",
    settings: NONE,
    headers: carrying("nobody-has-this-token"),
    expected: null,
  },
  {
    name: "a malformed credential, where clients need none",
    settings: NONE,
    headers: offering(V1, "bearer.!!!not*base64*at*all!!!"),
    expected: null,
  },
  {
    name: "no credential, where clients need none",
    settings: NONE,
    headers: offering(V1),
    expected: null,
  },
];

for (const { name, settings = TOKENS, headers, requestLine, expected } of CASES) {
  Deno.test(`a handshake with ${name} is ${describe(expected)}`, async () => {
    await using service = startService({ ...LOOPBACK, ...settings });
    using client = await connectRaw(service.port, headers, requestLine);
    await assertAnswer(service, client, { headers, expected, requestLine });
  });
}

Deno.test("a header that is too large for the server never reaches the service, and is not logged", async () => {
  await using service = startService({ ...LOOPBACK, ...TOKENS });
  using client = await connectRaw(service.port, bearing("hUgE-tOkEn+".repeat(10_000)));
  assert(client.answer.startsWith("HTTP/1.1 400 "), client.answer);
  assertFalse(client.answer.includes("hUgE-tOkEn+"));
  assertEquals(service.log, []);
});

Deno.test("refusals of wrong tokens do not differ", async () => {
  await using service = startService({ ...LOOPBACK, ...TOKENS });
  const answers = new Set<string>();
  for (const token of ["alice", BOB.slice(1), "nobody-has-this-token", BOB.toUpperCase()]) {
    using client = await connectRaw(service.port, bearing(token));
    const answer = await readAnswer(client);
    answers.add(answer.replace(/^date: .*$/im, ""));
  }
  assertEquals(answers.size, 1, [...answers].join("\n"));
});

Deno.test("a client that was refused is admitted with its token on the same TCP connection", async () => {
  await using service = startService({ ...LOOPBACK, ...TOKENS });
  using client = await connectRaw(service.port);
  assert(client.answer.startsWith("HTTP/1.1 401 "), client.answer);
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  await client.write(latin1(
    `GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
      `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\nauthorization: Bearer ${BOB}\r\n\r\n`,
  ));
  const { identity } = await service.logged("connected");
  assertEquals(identity, "bob");
});
