/**
 * The claims of JSON Web Tokens, shared secrets and wrong options.
 */
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { FlattenedSign } from "jose";
import { createAuthenticator } from "../../src/auth/authenticator.ts";
import {
  createJwtCheck,
  defaultAlgorithms,
  type JwtOptions,
  parseAlgorithms,
  parseSecret,
} from "../../src/auth/jwt.ts";
import { startJwks } from "../helpers/jwks.ts";
import {
  ALICE,
  authenticator,
  bytes,
  claims,
  EXP,
  EXPIRED,
  FOREIGN,
  INVALID,
  NOW_SECONDS,
  payload,
  refusal,
  SECRET,
  testCases,
  TOO_EARLY,
} from "./jwt_cases.ts";

const ISSUER = "https://issuer.test/";
const VALID = claims({});
const TEXT_255 = "a".repeat(255);

testCases([
  { name: "a valid token", token: VALID, expected: ALICE },

  { name: "no exp", token: claims({ exp: undefined }), expected: INVALID },
  { name: "an exp that is a text", token: claims({ exp: `${EXP}` }), expected: INVALID },
  { name: "an exp that is null", token: claims({ exp: null }), expected: INVALID },
  { name: "an exp beyond all time", token: claims({ exp: 2 ** 53 }), expected: INVALID },
  { name: "an exp that is huge", token: claims({ exp: 1e300 }), expected: INVALID },
  {
    name: "an exp that is infinite",
    token: payload('{"sub":"alice","exp":1e999}'),
    expected: INVALID,
  },
  {
    name: "an exp with a fraction",
    token: claims({ exp: EXP + 0.5 }),
    expected: { subject: "alice", expiresAt: EXP * 1000 + 500 },
  },
  { name: "an expired token", token: claims({ exp: NOW_SECONDS - 60 }), expected: EXPIRED },
  { name: "an exp of zero", token: claims({ exp: 0 }), expected: EXPIRED },
  { name: "a negative exp", token: claims({ exp: -1 }), expected: EXPIRED },
  { name: "a token that expires now", token: claims({ exp: NOW_SECONDS }), expected: EXPIRED },
  {
    name: "a token that expires in a moment",
    token: claims({ exp: NOW_SECONDS + 1 }),
    expected: { subject: "alice", expiresAt: (NOW_SECONDS + 1) * 1000 },
  },
  { name: "an nbf in the past", token: claims({ nbf: NOW_SECONDS - 1 }), expected: ALICE },
  { name: "an nbf within the tolerance", token: claims({ nbf: NOW_SECONDS + 5 }), expected: ALICE },
  { name: "an nbf in the future", token: claims({ nbf: NOW_SECONDS + 6 }), expected: TOO_EARLY },
  { name: "an nbf that is a text", token: claims({ nbf: "now" }), expected: INVALID },

  { name: "no sub", token: claims({ sub: undefined }), expected: INVALID },
  { name: "a sub that is a number", token: claims({ sub: 1 }), expected: INVALID },
  { name: "a sub that is null", token: claims({ sub: null }), expected: INVALID },
  { name: "a sub that is a list", token: claims({ sub: ["alice"] }), expected: INVALID },
  { name: "an empty sub", token: claims({ sub: "" }), expected: INVALID },
  { name: "a sub with a line end", token: claims({ sub: "alice\n" }), expected: INVALID },
  { name: "a sub with NUL", token: claims({ sub: "alice\0" }), expected: INVALID },
  { name: "a sub with half a character", token: claims({ sub: "alice\ud800" }), expected: INVALID },
  { name: "a sub of 256 characters", token: claims({ sub: `${TEXT_255}a` }), expected: INVALID },
  {
    name: "a sub of 255 characters",
    token: claims({ sub: TEXT_255 }),
    expected: { ...ALICE, subject: TEXT_255 },
  },
  {
    name: "a sub of other letters",
    token: claims({ sub: "auth0|zoë 🦕" }),
    expected: { ...ALICE, subject: "auth0|zoë 🦕" },
  },

  {
    name: "the issuer",
    options: { issuer: ISSUER },
    token: claims({ iss: ISSUER }),
    expected: ALICE,
  },
  { name: "any issuer when none is set", token: claims({ iss: "x" }), expected: ALICE },
  { name: "no issuer", options: { issuer: ISSUER }, token: VALID, expected: FOREIGN },
  {
    name: "another issuer",
    options: { issuer: ISSUER },
    token: claims({ iss: "https://issuer.test" }),
    expected: FOREIGN,
  },
  {
    name: "a list of issuers",
    options: { issuer: ISSUER },
    token: claims({ iss: [ISSUER] }),
    expected: FOREIGN,
  },
  {
    name: "the audience",
    options: { audience: "a" },
    token: claims({ aud: "a" }),
    expected: ALICE,
  },
  {
    name: "the audience in a list",
    options: { audience: "a" },
    token: claims({ aud: ["b", "a"] }),
    expected: ALICE,
  },
  {
    name: "one of the audiences",
    options: { audience: ["a", "b"] },
    token: claims({ aud: "b" }),
    expected: ALICE,
  },
  { name: "no audience", options: { audience: "a" }, token: VALID, expected: FOREIGN },
  {
    name: "another audience",
    options: { audience: "a" },
    token: claims({ aud: "ab" }),
    expected: FOREIGN,
  },
  {
    name: "other audiences in a list",
    options: { audience: "a" },
    token: claims({ aud: ["b", "c"] }),
    expected: FOREIGN,
  },
  {
    name: "an empty list of audiences",
    options: { audience: "a" },
    token: claims({ aud: [] }),
    expected: FOREIGN,
  },

  { name: "a payload that is no object", token: payload('"alice"'), expected: INVALID },
  { name: "a payload that is no JSON", token: payload("{alice}"), expected: INVALID },
]);

Deno.test("createJwtCheck() uses the time of the system by default", async () => {
  await using jwks = await startJwks();
  const { authenticate } = createAuthenticator([createJwtCheck({ jwksUrl: jwks.url })]);
  assertEquals((await authenticate(await jwks.sign())).subject, "alice");
  const expired = await jwks.sign({ exp: Math.floor(Date.now() / 1000) - 1 });
  assertEquals(await refusal(authenticate, expired), EXPIRED);
});

for (const alg of ["HS256", "HS384", "HS512"]) {
  Deno.test(`createJwtCheck() accepts ${alg} by its secret only`, async () => {
    await using jwks = await startJwks();
    const secret = SECRET.repeat(2);
    const authenticate = authenticator({ secret, algorithms: [alg] });
    const sign = (key: string): Promise<string> =>
      jwks.sign({ exp: EXP }, { alg, key: bytes(key), header: { kid: undefined } });
    assertEquals(await authenticate(await sign(secret)), ALICE);
    assertEquals(await refusal(authenticate, await sign(`${secret}x`)), INVALID);
    assertEquals(jwks.requests(), 0);
  });
}

for (const alg of ["RS256", "ES256", "EdDSA"]) {
  Deno.test(`createJwtCheck() refuses ${alg} when it has a secret`, async () => {
    await using jwks = await startJwks({ alg });
    assertEquals(
      await refusal(authenticator({ secret: SECRET }), await jwks.sign({ exp: EXP })),
      INVALID,
    );
  });
}

Deno.test("createJwtCheck() refuses HS512 by default, even with a long secret", async () => {
  await using jwks = await startJwks();
  const token = await jwks.sign({ exp: EXP }, { alg: "HS512", key: bytes(SECRET.repeat(2)) });
  assertEquals(await refusal(authenticator({ secret: SECRET.repeat(2) }), token), INVALID);
});

Deno.test("createJwtCheck() refuses an unencoded payload (RFC 7797 §7)", async () => {
  const payload = JSON.stringify({ sub: "alice", exp: EXP });
  const { protected: head, signature } = await new FlattenedSign(bytes(payload))
    .setProtectedHeader({ alg: "HS256", b64: false, crit: ["b64"] })
    .sign(bytes(SECRET));
  const authenticate = authenticator({ secret: SECRET });
  assertEquals(await refusal(authenticate, `${head}.${payload}.${signature}`), INVALID);
});

const WRONG_OPTIONS: readonly { name: string; input: JwtOptions; expected: string }[] = [
  { name: "neither keys nor secret", input: {}, expected: "either" },
  {
    name: "both keys and secret",
    input: { jwksUrl: new URL("http://127.0.0.1/"), secret: SECRET },
    expected: "either",
  },
  { name: "a short secret", input: { secret: SECRET.slice(1) }, expected: "32 bytes" },
  {
    name: "an HMAC algorithm for public keys",
    input: { jwksUrl: new URL("http://127.0.0.1/"), algorithms: ["HS256"] },
    expected: '"HS256" is wrong',
  },
];

for (const { name, input, expected } of WRONG_OPTIONS) {
  Deno.test(`createJwtCheck() refuses to start with ${name}`, () => {
    const { message } = assertThrows(() => createJwtCheck(input), TypeError, expected);
    assertFalse(message.includes(SECRET.slice(1)));
  });
}

Deno.test("parseAlgorithms() accepts the defaults, and some of them", () => {
  for (const kind of ["jwks", "secret"] as const) {
    assertEquals(parseAlgorithms(kind, defaultAlgorithms(kind)), defaultAlgorithms(kind));
  }
  assertEquals(parseAlgorithms("jwks", ["ES256", "PS512"]), ["ES256", "PS512"]);
  assertEquals(parseAlgorithms("secret", ["HS512"]), ["HS512"]);
});

for (const kind of ["jwks", "secret"] as const) {
  const foreign = kind === "jwks" ? ["HS256", "HS384", "HS512"] : defaultAlgorithms("jwks");
  for (const algorithm of ["none", "None", "", "rs256", "A128KW", "RSA-OAEP", ...foreign]) {
    Deno.test(`parseAlgorithms() refuses ${JSON.stringify(algorithm)} with ${kind}`, () => {
      const algorithms = [...defaultAlgorithms(kind), algorithm];
      const { message } = assertThrows(() => parseAlgorithms(kind, algorithms), TypeError);
      assert(message.startsWith(`${JSON.stringify(algorithm)} is wrong; with a `));
    });
  }
  Deno.test(`parseAlgorithms() refuses an empty list with ${kind}`, () => {
    assertThrows(() => parseAlgorithms(kind, []), TypeError, "There is no algorithm");
  });
}

for (const [algorithm, minBytes] of [["HS256", 32], ["HS384", 48], ["HS512", 64]] as const) {
  Deno.test(`parseSecret() requires ${minBytes} bytes for ${algorithm}`, () => {
    const secret = "s".repeat(minBytes);
    assertEquals(parseSecret(secret, [algorithm]), bytes(secret));
    assertEquals(parseSecret("é".repeat(minBytes / 2), [algorithm]).length, minBytes);
    const { message } = assertThrows(
      () => parseSecret(secret.slice(1), ["HS256", algorithm]),
      TypeError,
      `${minBytes} bytes`,
    );
    assertFalse(message.includes("sss"));
  });
}
