/**
 * Who is let in, over real sockets: the answer to every kind of handshake, and that no credential is ever
 * repeated, neither to the client nor in the log.
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { createHash } from "node:crypto";
import { CompactEncrypt, exportSPKI, generateKeyPair, importJWK } from "jose";
import { connectRaw, type RawClient } from "../helpers/raw_client.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { latin1 } from "../helpers/upstream.ts";

const ALICE = "fLzK3vQ9-alice.first~token+1/Ww==";
const ALICE_NEW = "Zp8RbN2x_alice_second_token";
const BOB = "yT5cHj7M-bob-token-kept-as-digest";
const LONG = "Xk4".repeat(2731).slice(0, 8192);
const SECRET = "a-shared-secret-of-thirty-two-bytes-or-more";
const ISSUER = "https://issuer.test/";
const AUDIENCE = "wsfetch-test";
const REALM = 'Bearer realm="wsfetch"';
const INVALID_TOKEN = `${REALM}, error="invalid_token"`;
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
const HMAC = { JWT_SECRET: SECRET };

type Headers = Record<string, string | undefined>;
type Settings = Record<string, string>;

interface Case {
  readonly name: string;
  readonly settings?: Settings;
  /** Headers of the handshake beside the usual ones. */
  readonly headers: Headers;
  readonly requestLine?: string;
  /** Who is let in (`null`: somebody without a name), or the status and the code of the refusal. */
  readonly expected: string | null | readonly [status: number, code: string];
}

type JwtCase = Omit<Case, "headers"> & {
  readonly alg?: string;
  readonly token: (jwks: JwksServer) => string | Promise<string>;
};

/** A case of a token in `Authorization`, of the plain dialect. */
const bearing = (token: string): Headers => ({ authorization: `Bearer ${token}` });
/** A case of a subprotocol as it stands. */
const offering = (...protocols: string[]): Headers => ({
  "sec-websocket-protocol": protocols.join(", "),
});
const carrying = (token: string): Headers => offering(V1, `bearer.${encode(token)}`);

const UNAUTHORIZED = [401, "unauthorized"] as const;
const BAD_HANDSHAKE = [400, "bad_handshake"] as const;

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
  { name: "a space behind the token", headers: bearing(`${BOB} `), expected: "bob" }, // RFC 9110 §5.5
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
    name: "the token both ways",
    headers: { ...bearing(BOB), ...carrying(BOB) },
    expected: BAD_HANDSHAKE,
  },
  {
    name: "two tokens both ways",
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
    name: "a line break behind the token of a subprotocol",
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
    name: "a token that means nothing, where none is asked for",
    settings: NONE,
    headers: bearing("nobody-has-this-token"),
    expected: null,
  },
  {
    name: "a subprotocol that means nothing, where none is asked for",
    settings: NONE,
    headers: carrying("nobody-has-this-token"),
    expected: null,
  },
  {
    name: "a malformed credential, where none is asked for",
    settings: NONE,
    headers: offering(V1, "bearer.!!!not*base64*at*all!!!"),
    expected: null,
  },
  {
    name: "no credential, where none is asked for",
    settings: NONE,
    headers: offering(V1),
    expected: null,
  },
];

/** Signed with the newest key, with an audience and an issuer that are right. */
const claims = (more: Readonly<Record<string, unknown>>): JwtCase["token"] => (jwks) =>
  jwks.sign({ iss: ISSUER, aud: AUDIENCE, ...more });
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const right = claims({});

const JWT_CASES: readonly JwtCase[] = [
  { name: "a JWT", token: right, expected: "alice" },
  {
    name: "a JWT of another subject",
    token: claims({ sub: "user|42 (ü)" }),
    expected: "user|42 (ü)",
  },
  { name: "an expired JWT", token: claims({ exp: inSeconds(-60) }), expected: UNAUTHORIZED },
  {
    name: "a JWT that is not valid yet",
    token: claims({ nbf: inSeconds(60) }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT that is valid since now",
    token: claims({ nbf: inSeconds(0) }),
    expected: "alice",
  },
  { name: "a JWT for another audience", token: claims({ aud: "other" }), expected: UNAUTHORIZED },
  { name: "a JWT without an audience", token: claims({ aud: undefined }), expected: UNAUTHORIZED },
  {
    name: "a JWT for several audiences",
    token: claims({ aud: ["a", AUDIENCE] }),
    expected: "alice",
  },
  { name: "a JWT for other audiences", token: claims({ aud: ["a", "b"] }), expected: UNAUTHORIZED },
  {
    name: "a JWT for an audience in capitals",
    token: claims({ aud: "WSFETCH-TEST" }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of another issuer",
    token: claims({ iss: "https://evil.test/" }),
    expected: UNAUTHORIZED,
  },
  { name: "a JWT without an issuer", token: claims({ iss: undefined }), expected: UNAUTHORIZED },
  { name: "a JWT without an exp", token: claims({ exp: undefined }), expected: UNAUTHORIZED },
  {
    name: "a JWT whose exp is a text",
    token: claims({ exp: "2099-01-01" }),
    expected: UNAUTHORIZED,
  },
  { name: "a JWT whose exp is null", token: claims({ exp: null }), expected: UNAUTHORIZED },
  {
    name: "a JWT whose exp is beyond numbers",
    token: claims({ exp: 1e300 }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose exp is the last second of 9999",
    token: claims({ exp: 253_402_300_799 }),
    expected: "alice",
  },
  {
    name: "a JWT whose exp is later than RFC 3339 can write",
    token: claims({ exp: 253_402_300_800 }),
    expected: UNAUTHORIZED,
  },
  { name: "a JWT without a sub", token: claims({ sub: undefined }), expected: UNAUTHORIZED },
  { name: "a JWT whose sub is a number", token: claims({ sub: 42 }), expected: UNAUTHORIZED },
  { name: "a JWT whose sub is empty", token: claims({ sub: "" }), expected: UNAUTHORIZED },
  { name: "a JWT whose sub is a list", token: claims({ sub: ["alice"] }), expected: UNAUTHORIZED },
  {
    name: "a JWT whose sub is long",
    token: claims({ sub: "s".repeat(256) }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose sub is nearly long",
    token: claims({ sub: "s".repeat(255) }),
    expected: "s".repeat(255),
  },
  {
    name: "a JWT whose sub breaks a line",
    token: claims({ sub: "alice\nbob" }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose sub drives a terminal",
    token: claims({ sub: "\x1b[2Jalice" }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose payload is a list",
    token: (jwks) => jwks.sign("[1]"),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose payload is text",
    token: (jwks) => jwks.sign("alice"),
    expected: UNAUTHORIZED,
  },
  {
    name: "an unsigned JWT",
    token: () => `${encodeJson({ alg: "none" })}.${encodeJson(freshClaims())}.`,
    expected: UNAUTHORIZED,
  },
  {
    name: "an unsigned JWT of an algorithm in other letters",
    token: () => `${encodeJson({ alg: "nOnE", kid: "key-1" })}.${encodeJson(freshClaims())}.`,
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT without its signature",
    token: async (jwks) => (await right(jwks)).replace(/[^.]+$/, ""),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT signed with the public key as a secret",
    alg: "RS256",
    token: async (jwks) =>
      await jwks.sign(freshClaims(), {
        alg: "HS256",
        key: new TextEncoder().encode(await toPem(jwks)),
      }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT signed with the key set's text as a secret",
    token: (jwks) =>
      jwks.sign(freshClaims(), {
        alg: "HS256",
        key: new TextEncoder().encode(JSON.stringify(jwks.keys()[0])),
      }),
    expected: UNAUTHORIZED,
  },
  { name: "a JWT of RS256", alg: "RS256", token: right, expected: "alice" },
  {
    name: "a JWT of RS256, the only one accepted",
    settings: { JWT_ALGORITHMS: "RS256" },
    alg: "RS256",
    token: right,
    expected: "alice",
  },
  {
    name: "a JWT of PS256, where RS256 alone is accepted",
    settings: { JWT_ALGORITHMS: "RS256" },
    alg: "PS256",
    token: right,
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of ES256, where RS256 alone is accepted",
    settings: { JWT_ALGORITHMS: "RS256" },
    token: right,
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of an unknown key",
    token: (jwks) => jwks.sign(freshClaims(), { kid: "nobody" }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of an unnamed key",
    token: (jwks) => jwks.sign(freshClaims(), { header: { kid: undefined } }),
    expected: "alice",
  },
  {
    name: "a JWT of a key that is not the named one",
    token: async (jwks) => {
      await jwks.addKey("key-2");
      return await jwks.sign(freshClaims(), { kid: "key-1", header: { kid: "key-2" } });
    },
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of a key that nobody publishes",
    token: async (jwks) => {
      const { privateKey } = await generateKeyPair("ES256");
      return await jwks.sign(freshClaims(), { key: privateKey });
    },
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of the key after a rotation",
    token: async (jwks) => {
      await jwks.rotate("key-2");
      return await right(jwks);
    },
    expected: "alice",
  },
  {
    name: "a JWT of the key before a rotation",
    token: async (jwks) => {
      await jwks.rotate("key-2");
      return await jwks.sign(freshClaims(), { kid: "key-1" });
    },
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of an older key that is still published",
    token: async (jwks) => {
      await jwks.addKey("key-2");
      return await jwks.sign(freshClaims(), { kid: "key-1" });
    },
    expected: "alice",
  },
  {
    name: "a JWT with a key of its own",
    token: async (jwks) => {
      const { privateKey } = await generateKeyPair("ES256");
      return await jwks.sign(freshClaims(), { key: privateKey, header: { jwk: jwks.keys()[0] } });
    },
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT with a critical parameter",
    token: (jwks) => jwks.sign(freshClaims(), { header: { crit: ["x-y"], "x-y": 1 } }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose payload was changed",
    token: (jwks) => tampered(jwks, 1, () => encodeJson({ ...freshClaims(), sub: "root" })),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose signature was changed",
    token: (jwks) => tampered(jwks, 2, (part) => (part[0] === "A" ? "B" : "A") + part.slice(1)),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose signature is cut",
    token: (jwks) => tampered(jwks, 2, (part) => part.slice(0, 40)),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose header was changed",
    token: (jwks) => tampered(jwks, 0, () => encodeJson({ alg: "ES256", kid: "key-1", typ: "x" })),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose header is no JSON",
    token: (jwks) => tampered(jwks, 0, () => encode("not json at all")),
    expected: UNAUTHORIZED,
  },
  {
    name: "two parts of a JWT",
    token: async (jwks) => (await right(jwks)).split(".").slice(0, 2).join("."),
    expected: UNAUTHORIZED,
  },
  {
    name: "four parts",
    token: async (jwks) => `${await right(jwks)}.c29tZXRoaW5nIG1vcmU`,
    expected: UNAUTHORIZED,
  },
  { name: "a JWT that is encrypted", token: encrypted, alg: "RS256", expected: UNAUTHORIZED },
  { name: "a dot", token: () => ".", expected: UNAUTHORIZED },
  {
    name: "a JWT of 8193 characters",
    token: async (jwks) => {
      const rest = 8193 - (await claims({ more: "" })(jwks)).length;
      return (await claims({ more: "m".repeat(rest) })(jwks)).padEnd(8193, "A");
    },
    expected: BAD_HANDSHAKE,
  },
  { name: "a static token beside JWTs", settings: TOKENS, token: () => BOB, expected: "bob" },
  {
    name: "a JWT beside static tokens",
    settings: TOKENS,
    token: claims({ sub: "carol" }),
    expected: "carol",
  },
  {
    name: "a JWT whose sub is the name of a static token",
    settings: TOKENS,
    token: right,
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT whose sub is turned around",
    token: claims({ sub: "alice\u202e" }),
    expected: UNAUTHORIZED,
  },
  {
    name: "neither a static token nor a JWT",
    settings: TOKENS,
    token: () => "nobody-has-this-token",
    expected: UNAUTHORIZED,
  },
];

const HMAC_CASES: readonly JwtCase[] = [
  {
    name: "a JWT of the secret",
    token: (jwks) => jwks.sign({}, { alg: "HS256", key: bytes(SECRET) }),
    expected: "alice",
  },
  {
    name: "a JWT of another secret",
    token: (jwks) => jwks.sign({}, { alg: "HS256", key: bytes(`${SECRET}!`) }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of the secret by an algorithm that is not accepted",
    token: (jwks) => jwks.sign({}, { alg: "HS512", key: bytes(`${SECRET}${SECRET}`) }),
    expected: UNAUTHORIZED,
  },
  {
    name: "a JWT of a key, where a secret signs",
    token: (jwks) => jwks.sign(),
    expected: UNAUTHORIZED,
  },
  { name: "the secret itself", token: () => SECRET, expected: UNAUTHORIZED },
];

for (const { name, settings = TOKENS, headers, requestLine, expected } of CASES) {
  Deno.test(`a handshake with ${name} is ${describe(expected)}`, async () => {
    await using service = startService({ ...LOOPBACK, ...settings });
    using client = await connectRaw(service.port, headers, requestLine);
    await assertAnswer(service, client, { headers, expected, requestLine });
  });
}

for (const [kind, cases] of Object.entries({ JWT_CASES, HMAC_CASES })) {
  for (const { name, settings = {}, alg = "ES256", token, expected } of cases) {
    Deno.test(`a handshake with ${name} is ${describe(expected)}`, async () => {
      await using jwks = await startJwks({ alg });
      const asymmetric = {
        JWT_JWKS_URL: jwks.url.href,
        JWT_ISSUER: ISSUER,
        JWT_AUDIENCE: AUDIENCE,
      };
      await using service = startService({
        ...LOOPBACK,
        ...(kind === "JWT_CASES" ? asymmetric : HMAC),
        ...settings,
      });
      const text = await token(jwks);
      for (const headers of [bearing(text), carrying(text)]) {
        using client = await connectRaw(service.port, headers);
        await assertAnswer(service, client, { headers, expected });
      }
    });
  }
}

Deno.test("a header too large for the server never gets to the service, and is not logged", async () => {
  await using service = startService({ ...LOOPBACK, ...TOKENS });
  using client = await connectRaw(service.port, bearing("hUgE-tOkEn+".repeat(10_000)));
  assert(client.answer.startsWith("HTTP/1.1 400 "), client.answer);
  assertFalse(client.answer.includes("hUgE-tOkEn+"));
  assertEquals(service.log, []);
});

Deno.test("a refusal comes in one form, whatever credential it is for", async () => {
  await using service = startService({ ...LOOPBACK, ...TOKENS });
  const answers = new Set<string>();
  for (const token of ["alice", BOB.slice(1), "nobody-has-this-token", BOB.toUpperCase()]) {
    using client = await connectRaw(service.port, bearing(token));
    const answer = await readAnswer(client);
    answers.add(answer.replace(/^date: .*$/im, ""));
  }
  assertEquals(answers.size, 1, [...answers].join("\n"));
});

Deno.test("a client that was refused is let in on the same TCP connection with its token", async () => {
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

function describe(expected: Case["expected"]): string {
  if (expected === null) return "admitted as nobody";
  if (typeof expected !== "string") return `refused with ${expected.join(" ")}`;
  return `admitted as ${expected.slice(0, 16)}`;
}

interface Expectation extends Pick<Case, "headers" | "expected"> {
  readonly requestLine?: string | undefined;
}

/** Looks at the answer, at the log, and that neither repeats anything of the credential. */
async function assertAnswer(
  service: Service,
  client: RawClient,
  { headers, expected, requestLine = "" }: Expectation,
): Promise<void> {
  const isV1 = headers["sec-websocket-protocol"] !== undefined;
  const isAdmitted = expected === null || typeof expected === "string";
  const answer = isAdmitted && !isV1 ? client.answer : await readAnswer(client);
  if (isAdmitted) await assertAdmitted(service, answer, { identity: expected, isV1 });
  else assertRefused(service, answer, expected);
  for (const secret of secretsOf(headers, requestLine)) {
    assertHidden(answer, secret);
    assertHidden(JSON.stringify(service.log), secret);
  }
}

async function assertAdmitted(
  service: Service,
  answer: string,
  { identity, isV1 }: { readonly identity: string | null; readonly isV1: boolean },
): Promise<void> {
  assert(answer.startsWith("HTTP/1.1 101 "), answer);
  const echoed = [...answer.matchAll(/^sec-websocket-protocol: (.*)\r$/gim)].map(([, name]) =>
    name
  );
  assertEquals(echoed, isV1 ? [V1] : []);
  const dialect = isV1 ? V1 : "plain";
  const logged = await service.logged("connected", (line) => line.dialect === dialect);
  assertEquals(logged.identity, identity ?? undefined);
  if (!isV1) return;
  const hello = JSON.parse(answer.slice(answer.indexOf('{"type"')));
  assertEquals([hello.type, hello.identity], ["hello", identity && utf8AsLatin1(identity)]);
}

function assertRefused(
  service: Service,
  answer: string,
  [status, code]: readonly [number, string],
): void {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert(head.startsWith(`HTTP/1.1 ${status} `), answer);
  assert(/^content-type: application\/json/im.test(head), head);
  assertFalse(/^sec-websocket-(protocol|accept)/im.test(head), head);
  const { error, ...others } = JSON.parse(body);
  assertEquals(others, {});
  assertEquals(Object.keys(error), ["code", "message"]);
  assertEquals(error.code, code);
  const challenge = /^www-authenticate: (.*)\r?$/im.exec(`${head}\r`)?.[1]?.trimEnd();
  const isMissing = error.message.startsWith("A credential is needed");
  assertEquals(challenge, status !== 401 ? undefined : isMissing ? REALM : INVALID_TOKEN);
  const line = service.log.findLast(({ event }) => event === "refused");
  const reason = typeof line?.reason === "string" ? utf8AsLatin1(line.reason) : undefined;
  assertEquals([line?.status, line?.code, reason, line?.client], [
    status,
    code,
    error.message,
    "127.0.0.1",
  ]);
  assertFalse(service.log.some(({ event }) => event === "connected"));
}

const PIECE = 12;

function assertHidden(text: string, secret: string): void {
  for (let start = 0; start === 0 || start + PIECE <= secret.length; start++) {
    const piece = secret.slice(start, start + PIECE);
    assertFalse(text.includes(piece), `a piece of the credential is told: ${text.slice(0, 2000)}`);
  }
}

/** Everything in a handshake that may be a credential, as it came and decoded. */
function secretsOf(headers: Headers, requestLine: string): readonly string[] {
  const { authorization = "", cookie = "" } = headers;
  const protocols = (headers["sec-websocket-protocol"] ?? "").split(/,\s*/)
    .filter((protocol) => /^bearer\./i.test(protocol))
    .map((protocol) => protocol.slice("bearer.".length));
  const query = /[?&]\w+=([^ ]*)/.exec(requestLine)?.[1] ?? "";
  const texts = [
    ...authorization.split(/[\s,"]+/),
    ...protocols,
    ...protocols.flatMap(decoded),
    ...authorization.split(/\s+/).flatMap(decoded),
    query,
    decodeURIComponent(query),
    cookie.slice("token=".length),
    headers["x-api-key"] ?? "",
    headers["proxy-authorization"]?.slice("Bearer ".length) ?? "",
  ];
  return texts.filter((text) => text.length >= PIECE && text !== "authorization:");
}

function decoded(text: string): string[] {
  try {
    return [atob(text.replaceAll("-", "+").replaceAll("_", "/"))];
  } catch {
    return []; // then it stands for nothing else
  }
}

/** The head and the body, or the head and `hello`: both end in two braces. */
async function readAnswer(client: RawClient): Promise<string> {
  const end = latin1("}}");
  if (client.answer.endsWith("}}")) return client.answer;
  return client.answer + new TextDecoder("latin1").decode(await client.readToEnd(end));
}

/** What a raw client reads of a text that was sent in UTF-8. */
function utf8AsLatin1(text: string): string {
  return new TextDecoder("latin1").decode(bytes(text));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Base64url without padding. */
function encode(value: string | Uint8Array): string {
  const raw = typeof value === "string" ? bytes(value) : value;
  return raw.toBase64({ alphabet: "base64url", omitPadding: true });
}

function encodeJson(value: unknown): string {
  return encode(JSON.stringify(value));
}

function freshClaims(): Record<string, unknown> {
  return { sub: "alice", iss: ISSUER, aud: AUDIENCE, exp: inSeconds(300) };
}

async function tampered(
  jwks: JwksServer,
  index: number,
  change: (part: string) => string,
): Promise<string> {
  const token = await right(jwks);
  return token.split(".").map((part, at) => at === index ? change(part) : part).join(".");
}

async function toPem(jwks: JwksServer): Promise<string> {
  const key = await importJWK({ ...jwks.keys()[0], ext: true });
  if (key instanceof Uint8Array) throw new TypeError("The key set has a secret");
  return await exportSPKI(key);
}

async function encrypted(jwks: JwksServer): Promise<string> {
  const key = await importJWK({ ...jwks.keys()[0], alg: "RSA-OAEP-256", use: "enc" });
  return await new CompactEncrypt(bytes(JSON.stringify(freshClaims())))
    .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: "key-1" })
    .encrypt(key);
}
