/**
 * The signatures and headers of JSON Web Tokens.
 */
import { assertEquals } from "@std/assert";
import { createPublicKey } from "node:crypto";
import { CompactEncrypt, exportJWK, generateKeyPair } from "jose";
import { defaultAlgorithms } from "../../src/auth/jwt.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { startHttp } from "../helpers/upstream.ts";
import {
  ALICE,
  authenticator,
  bytes,
  type Case,
  claims,
  encode,
  EXP,
  EXPIRED,
  INVALID,
  NOW_SECONDS,
  refusal,
  tamper,
  testCases,
} from "./jwt_cases.ts";

const VALID = claims({});

function header(more: Readonly<Record<string, unknown>>): Case["token"] {
  return (jwks) => jwks.sign({ exp: EXP }, { header: more });
}

testCases([
  ...defaultAlgorithms("jwks").map((alg) => ({
    name: `a valid token by ${alg}`,
    alg,
    token: VALID,
    expected: ALICE,
  })),
  ...["none", "None", "NONE"].flatMap((alg) => [
    {
      name: `an unsecured token, alg ${alg}`,
      token: () => `${encode({ alg })}.${encode({ sub: "alice", exp: EXP })}.`,
      expected: INVALID,
    },
    {
      name: `a signed token, alg ${alg}`,
      token: async (jwks: JwksServer) =>
        tamper(await jwks.sign({ exp: EXP }), 0, () => encode({ alg, kid: "key-1" })),
      expected: INVALID,
    },
  ]),
  {
    name: "no alg",
    token: () => `${encode({})}.${encode({ sub: "alice" })}.AAAA`,
    expected: INVALID,
  },
  {
    name: "an HMAC with the public key in PEM for its secret",
    alg: "RS256",
    token: (jwks) => jwks.sign({ exp: EXP }, { alg: "HS256", key: bytes(toPem(jwks)) }),
    expected: INVALID,
  },
  {
    name: "an HMAC with the public key as JWK for its secret",
    alg: "RS256",
    token: (jwks) =>
      jwks.sign({ exp: EXP }, { alg: "HS256", key: bytes(JSON.stringify(jwks.keys()[0])) }),
    expected: INVALID,
  },
  {
    name: "a good signature by an algorithm that is not listed",
    options: { algorithms: ["RS256", "EdDSA"] },
    token: VALID,
    expected: INVALID,
  },
  {
    name: "a good signature by the one algorithm that is listed",
    options: { algorithms: ["ES256"] },
    token: VALID,
    expected: ALICE,
  },
  { name: "no kid when there is one key", token: header({ kid: undefined }), expected: ALICE },
  { name: "a kid that is a number", token: header({ kid: 1 }), expected: INVALID },
  {
    name: "a kid that is the name of a method",
    token: header({ kid: "constructor" }),
    expected: INVALID,
  },
  {
    name: "no kid when there are two keys",
    token: async (jwks) => {
      await jwks.addKey("key-2");
      return await jwks.sign({ exp: EXP }, { header: { kid: undefined } });
    },
    expected: ALICE,
  },
  {
    name: "no kid, by a key that is none of two",
    token: async (jwks) => {
      await jwks.addKey("key-2");
      await jwks.addKey("key-3");
      jwks.removeKey("key-3");
      return await jwks.sign({ exp: EXP }, { header: { kid: undefined } });
    },
    expected: INVALID,
  },
  ...["key-1", "key-2"].map((kid) => ({
    name: `an expired token without kid, by ${kid} of two`,
    token: async (jwks: JwksServer) => {
      await jwks.addKey("key-2");
      return await jwks.sign({ exp: NOW_SECONDS - 60 }, { kid, header: { kid: undefined } });
    },
    expected: EXPIRED,
  })),
  {
    name: "the name of one key and the signature of another",
    token: async (jwks) => {
      await jwks.addKey("key-2");
      return await jwks.sign({ exp: EXP }, { kid: "key-2", header: { kid: "key-1" } });
    },
    expected: INVALID,
  },

  {
    name: "another payload",
    token: async (jwks) => tamper(await jwks.sign(), 1, () => encode({ sub: "root", exp: EXP })),
    expected: INVALID,
  },
  {
    name: "another header",
    token: async (jwks) =>
      tamper(await jwks.sign(), 0, () => encode({ alg: "ES256", kid: "key-1", typ: "JWT" })),
    expected: INVALID,
  },
  {
    name: "another signature",
    token: async (jwks) =>
      tamper(await jwks.sign(), 2, (part) => `${part.startsWith("A") ? "B" : "A"}${part.slice(1)}`),
    expected: INVALID,
  },
  {
    name: "an empty signature",
    token: async (jwks) => tamper(await jwks.sign(), 2, () => ""),
    expected: INVALID,
  },
  {
    name: "a signature of zeros (CVE-2022-21449)",
    token: async (jwks) => tamper(await jwks.sign(), 2, () => "A".repeat(86)),
    expected: INVALID,
  },
  { name: "an expired token that is forged", token: forgeExpired, expected: INVALID },
  {
    name: "two parts",
    token: async (jwks) => (await jwks.sign()).replace(/\.[^.]*$/, ""),
    expected: INVALID,
  },
  { name: "four parts", token: async (jwks) => `${await jwks.sign()}.AAAA`, expected: INVALID },
  { name: "a JWE", alg: "RS256", token: encrypt, expected: INVALID },
  { name: "no text", token: () => "", expected: INVALID },
  { name: "no JWT", token: () => "not-a-jwt-at-all", expected: INVALID },
  { name: "dots", token: () => "..", expected: INVALID },
  {
    name: "parts that are no JSON",
    token: () => "alice-garbage.alice-garbage.AAAA",
    expected: INVALID,
  },
  {
    name: "a header that is a list",
    token: () => `${encode([])}.${encode({})}.AAAA`,
    expected: INVALID,
  },
  { name: "a huge token", token: claims({ more: "a".repeat(8192) }), expected: INVALID },

  {
    name: "an unknown critical parameter",
    token: header({ crit: ["urn:x"], "urn:x": 1 }),
    expected: INVALID,
  },
  {
    name: "an encoded payload with b64 in its header",
    token: header({ crit: ["b64"], b64: true }),
    expected: ALICE,
  },
  { name: "a key in the header", token: signForeign(({ jwk }) => ({ jwk })), expected: INVALID },
  {
    name: "a key in the header, and no name of one",
    token: signForeign(({ jwk }) => ({ jwk, kid: undefined })),
    expected: INVALID,
  },
  {
    name: "a good signature with another key in the header",
    token: header({ jwk: { kty: "EC" }, jku: "http://x.test/", x5u: "http://x.test/", x5c: ["x"] }),
    expected: ALICE,
  },
]);

/** Returns the newest public key as PEM, the form in which many servers publish keys. */
function toPem(jwks: JwksServer): string {
  const key = createPublicKey({ key: { ...jwks.keys().at(-1) }, format: "jwk" });
  return key.export({ type: "spki", format: "pem" }).toString();
}

async function forgeExpired(jwks: JwksServer): Promise<string> {
  const { privateKey } = await generateKeyPair("ES256");
  return await jwks.sign({ exp: NOW_SECONDS - 60 }, { key: privateKey });
}

async function encrypt(jwks: JwksServer): Promise<string> {
  const { publicKey } = await generateKeyPair("RSA-OAEP-256");
  return await new CompactEncrypt(bytes(await jwks.sign()))
    .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: "key-1" })
    .encrypt(publicKey);
}

function signForeign(
  toHeader: (foreign: { readonly jwk: unknown }) => Record<string, unknown>,
): Case["token"] {
  return async (jwks) => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const header = toHeader({ jwk: await exportJWK(publicKey) });
    return await jwks.sign({ exp: EXP }, { key: privateKey, header });
  };
}

Deno.test("createJwtCheck() fetches no key from a URL in a token", async () => {
  await using jwks = await startJwks();
  await using foreign = startHttp(() => Response.json({ keys: jwks.keys() }));
  const { privateKey } = await generateKeyPair("ES256");
  const authenticate = authenticator({ jwksUrl: jwks.url });
  const url = `${foreign.origin}/jwks.json`;
  const token = await jwks.sign({ exp: EXP, iss: url }, {
    key: privateKey,
    header: { jku: url, x5u: url },
  });
  assertEquals(await refusal(authenticate, token), INVALID);
  assertEquals(foreign.requests, []);
});
