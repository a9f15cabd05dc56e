/**
 * JWTs over real sockets: the response to every kind of JWT, and that no JWT is ever repeated, neither to the client
 * nor in the log.
 */
import { createHash } from "node:crypto";
import { CompactEncrypt, exportSPKI, generateKeyPair, importJWK } from "jose";
import {
  type AdmissionCase,
  assertAnswer,
  BAD_HANDSHAKE,
  bearing,
  bytes,
  carrying,
  describe,
  encode,
  UNAUTHORIZED,
} from "../helpers/admission.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";

const BOB = "yT5cHj7M-bob-token-kept-as-digest";
const SECRET = "a-shared-secret-of-thirty-two-bytes-or-more";
const ISSUER = "https://issuer.test/";
const AUDIENCE = "wsfetch-test";

const TOKENS = {
  AUTH_TOKENS: [
    "alice:fLzK3vQ9-alice.first~token+1/Ww==",
    `bob:sha256:${createHash("sha256").update(BOB).digest("hex")}`,
  ].join(),
};
const HMAC = { JWT_SECRET: SECRET };

interface JwtCase {
  readonly name: string;
  readonly settings?: Record<string, string>;
  readonly alg?: string;
  readonly token: (jwks: JwksServer) => string | Promise<string>;
  readonly expected: AdmissionCase["expected"];
}

/** Signs claims with the newest key, with the right audience and issuer. */
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
    name: "a JWT that is valid from now on",
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
    name: "a JWT whose sub controls a terminal",
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
    name: "a JWT whose sub changes the direction of text",
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
