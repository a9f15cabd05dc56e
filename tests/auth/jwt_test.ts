import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { createPublicKey } from "node:crypto";
import { CompactEncrypt, exportJWK, FlattenedSign, generateKeyPair } from "jose";
import { createAuthenticator, type Identity } from "../../src/auth/authenticator.ts";
import {
  createJwtCheck,
  defaultAlgorithms,
  type JwtDeps,
  type JwtOptions,
  parseAlgorithms,
  parseSecret,
} from "../../src/auth/jwt.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { startHttp } from "../helpers/upstream.ts";

const NOW_SECONDS = 1_700_000_000;
const EXP = NOW_SECONDS + 60;
const ALICE: Identity = { subject: "alice", expiresAt: EXP * 1000 };
const ISSUER = "https://issuer.test/";
const SECRET = "a secret of thirty-two bytes....";

const INVALID = "The credential is not valid";
const EXPIRED = "The credential has expired; get a new one";
const TOO_EARLY = "The credential is not valid yet; try again later";
const FOREIGN = "The credential is not for this service";
const UNCHECKED = "The credential cannot be checked now; try again";

type Authenticate = (token: string) => Promise<Identity>;

function authenticator(options: JwtOptions, deps: JwtDeps = {}): Authenticate {
  const now = (): number => NOW_SECONDS * 1000;
  return createAuthenticator([createJwtCheck(options, { now, ...deps })]).authenticate;
}

/** The message of a refusal, which has no part of the token anywhere. */
async function refusal(authenticate: Authenticate, token: string): Promise<string> {
  const error = await assertRejects(() => authenticate(token), ProxyError);
  assertEquals(error.code, "unauthorized");
  assertEquals(error.retryable, error.message === UNCHECKED);
  assertEquals(error.retryAfterMs, error.retryable ? 1000 : undefined);
  const shown = Deno.inspect(error, { depth: 9, strAbbreviateSize: 1e6 });
  for (const part of token.split(".").filter((part) => part.length > 8)) {
    assertFalse(shown.includes(part), "a part of the token is told");
  }
  assertFalse(shown.includes("alice"), "a claim is told");
  return error.message;
}

/** Base64url of a text, or of a value as JSON. */
function encode(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A token with one part replaced. */
function tamper(token: string, index: number, change: (part: string) => string): string {
  return token.split(".").map((part, i) => i === index ? change(part) : part).join(".");
}

interface Case {
  readonly name: string;
  /** The algorithm of the key. Default: ES256. */
  readonly alg?: string;
  readonly options?: Partial<JwtOptions>;
  readonly token: (jwks: JwksServer) => string | Promise<string>;
  /** An identity, or the message of the refusal. */
  readonly expected: Identity | string;
}

function claims(more: Readonly<Record<string, unknown>>): Case["token"] {
  return (jwks) => jwks.sign({ exp: EXP, ...more });
}

function header(more: Readonly<Record<string, unknown>>): Case["token"] {
  return (jwks) => jwks.sign({ exp: EXP }, { header: more });
}

const VALID = claims({});
const TEXT_255 = "a".repeat(255);

const CASES: readonly Case[] = [
  { name: "a valid token", token: VALID, expected: ALICE },
  ...defaultAlgorithms("jwks").map((alg) => ({
    name: `a valid token by ${alg}`,
    alg,
    token: VALID,
    expected: ALICE,
  })),

  { name: "no exp", token: claims({ exp: undefined }), expected: INVALID },
  { name: "an exp that is a text", token: claims({ exp: `${EXP}` }), expected: INVALID },
  { name: "an exp that is null", token: claims({ exp: null }), expected: INVALID },
  { name: "an exp beyond all time", token: claims({ exp: 2 ** 53 }), expected: INVALID },
  { name: "an exp that is huge", token: claims({ exp: 1e300 }), expected: INVALID },
  {
    name: "an exp that is infinite",
    token: claimsText('{"sub":"alice","exp":1e999}'),
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
  { name: "a payload that is no object", token: claimsText('"alice"'), expected: INVALID },
  { name: "a payload that is no JSON", token: claimsText("{alice}"), expected: INVALID },
  { name: "a huge token", token: claims({ more: "a".repeat(8192) }), expected: INVALID },

  {
    name: "a critical parameter that nobody knows",
    token: header({ crit: ["urn:x"], "urn:x": 1 }),
    expected: INVALID,
  },
  {
    name: "an encoded payload, said so",
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
    name: "a good signature with another's key in the header",
    token: header({ jwk: { kty: "EC" }, jku: "http://x.test/", x5u: "http://x.test/", x5c: ["x"] }),
    expected: ALICE,
  },
];

for (const { name, alg, options, token, expected } of CASES) {
  const does = typeof expected === "string" ? "refuses" : "accepts";
  Deno.test(`createJwtCheck() ${does} ${name}`, async () => {
    await using jwks = await startJwks(alg === undefined ? {} : { alg });
    const text = await token(jwks);
    const delay = (): Promise<void> => Promise.resolve();
    const authenticate = authenticator({ jwksUrl: jwks.url, ...options }, { delay });
    if (typeof expected === "string") assertEquals(await refusal(authenticate, text), expected);
    else assertEquals(await authenticate(text), expected);
  });
}

function claimsText(text: string): Case["token"] {
  return (jwks) => jwks.sign(text);
}

/** The newest public key as PEM, as many servers publish theirs. */
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

Deno.test("createJwtCheck() fetches no key from where a token says", async () => {
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

Deno.test("createJwtCheck() refuses HS512 when HS256 is what it goes by", async () => {
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
    name: "a public key that is to be a secret",
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
  Deno.test(`parseSecret() wants ${minBytes} bytes for ${algorithm}`, () => {
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

const RELOAD_MS = 1000;
const SANITIZED = { sanitizeOps: true, sanitizeResources: true }; // no timer and no body is left
const MAX_AGE_MS = 600_000;
const MAX_STALE_MS = 86_400_000;

/** Time that passes when a test says so. */
interface Clock {
  readonly deps: Required<Pick<JwtDeps, "ticks" | "delay">>;
  /** Every wait so far, in milliseconds. */
  readonly waits: readonly number[];
  /** Fulfils when there have been so many waits. */
  readonly waited: (count: number) => Promise<void>;
  /** Lets so many milliseconds pass, and ends the waits that are over. */
  readonly advance: (ms: number) => void;
}

function createClock(): Clock {
  let time = 0;
  const waits: number[] = [];
  const timers: { readonly at: number; resolve(): void }[] = [];
  const watchers: { readonly count: number; resolve(): void }[] = [];
  return {
    deps: {
      ticks: () => time,
      delay(delayMs): Promise<void> {
        waits.push(delayMs);
        for (const { count, resolve } of watchers) if (waits.length >= count) resolve();
        return new Promise((resolve) => timers.push({ at: time + delayMs, resolve }));
      },
    },
    waits,
    waited(count): Promise<void> {
      if (waits.length >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ count, resolve }));
    },
    advance(ms): void {
      time += ms;
      for (const { at, resolve } of timers) if (at <= time) resolve();
    },
  };
}

/** Failures of fetches, to be waited for. */
function createFailures(): { onKeysFailed: () => void; failed: (count: number) => Promise<void> } {
  let total = 0;
  const watchers: { readonly count: number; resolve(): void }[] = [];
  return {
    onKeysFailed(): void {
      total++;
      for (const { count, resolve } of watchers) if (total >= count) resolve();
    },
    failed(count): Promise<void> {
      if (total >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push({ count, resolve }));
    },
  };
}

interface KeySetTest {
  readonly jwks: JwksServer;
  readonly clock: Clock;
  readonly failed: (count: number) => Promise<void>;
  readonly authenticate: Authenticate;
  readonly sign: JwksServer["sign"];
  /** A token that names a key that there never was. */
  readonly signUnknown: (kid?: string) => Promise<string>;
}

/** A test of a check whose time is the test's. */
function testKeys(
  name: string,
  run: (test: KeySetTest) => Promise<void>,
  options: Partial<JwtOptions> = {},
): void {
  Deno.test(`createJwtCheck() ${name}`, SANITIZED, async () => {
    await using jwks = await startJwks();
    const clock = createClock();
    const { onKeysFailed, failed } = createFailures();
    const deps = { ...clock.deps, onKeysFailed };
    const authenticate = authenticator({ jwksUrl: jwks.url, ...options }, deps);
    const sign: JwksServer["sign"] = (claims, options) =>
      jwks.sign(typeof claims === "string" ? claims : { exp: EXP, ...claims }, options);
    const signUnknown = (kid = "unknown"): Promise<string> => sign({}, { kid });
    await run({ jwks, clock, failed, authenticate, sign, signUnknown });
  });
}

testKeys("fetches nothing before it needs a key", async ({ jwks, authenticate, sign }) => {
  jwks.answer("fail");
  const unsecured = `${encode({ alg: "none" })}.${encode({ sub: "alice", exp: EXP })}.`;
  const critical = await sign({}, { header: { crit: ["x"], x: 1 } });
  for (const token of ["garbage", "a.b.c", unsecured, critical]) {
    assertEquals(await refusal(authenticate, token), INVALID);
  }
  assertEquals(jwks.requests(), 0);
});

testKeys("fetches the keys once for all who come first", async (test) => {
  const { jwks, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const asked = Array.from({ length: 20 }, () => authenticate(token));
  await jwks.requested(1);
  asked.push(authenticate(token));
  jwks.answer("keys");
  assertEquals(await Promise.all(asked), asked.map(() => ALICE));
  assertEquals(await authenticate(token), ALICE);
  assertEquals([jwks.requests(), test.clock.waits], [1, []]);
});

testKeys("lets 1,000 wait for the keys, and asks the next to try again", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const settled = Promise.allSettled(Array.from({ length: 1001 }, () => authenticate(token)));
  await jwks.requested(1);
  jwks.answer("keys");
  const results = await settled;
  assertEquals(results.findIndex(({ status }) => status === "rejected"), 1000);
  const reasons = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  assertEquals(reasons.map(({ message, retryable }) => [message, retryable]), [[UNCHECKED, true]]);
  // Those that have waited make room.
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign()), ALICE);
});

testKeys("refuses an unknown key that the first fetch lacks, without another", async (test) => {
  assertEquals(await refusal(test.authenticate, await test.signUnknown()), INVALID);
  assertEquals([test.jwks.requests(), test.clock.waits], [1, []]);
});

testKeys("accepts a new key after a rotation at once", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const old = await sign();
  await authenticate(old);
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign()), ALICE);
  assertEquals([jwks.requests(), clock.waits], [2, []]);
  const refused = refusal(authenticate, old);
  await clock.waited(1);
  clock.advance(RELOAD_MS);
  assertEquals(await refused, INVALID);
});

testKeys("accepts a new key directly after a fetch, in the next one", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  await authenticate(await sign());
  clock.advance(RELOAD_MS / 4);
  await jwks.rotate("key-2");
  const asked = [authenticate(await sign()), authenticate(await sign({ sub: "bob" }))];
  await clock.waited(1);
  assertEquals([jwks.requests(), clock.waits], [1, [RELOAD_MS * 3 / 4]]);
  clock.advance(RELOAD_MS * 3 / 4);
  assertEquals((await Promise.all(asked)).map(({ subject }) => subject), ["alice", "bob"]);
  assertEquals([jwks.requests(), clock.waits.length], [2, 1]);
});

testKeys("fetches no more often when many unknown keys come", async (test) => {
  const { jwks, clock, authenticate, signUnknown } = test;
  const known = await test.sign();
  await authenticate(known);
  for (let round = 1; round <= 3; round++) {
    const kids = Array.from({ length: 30 }, (_, i) => `${round}-${i}`);
    const tokens = await Promise.all(kids.map(signUnknown));
    const refused = tokens.map((token) => refusal(authenticate, token));
    await clock.waited(round);
    clock.advance(RELOAD_MS - 1);
    assertEquals(await authenticate(known), ALICE);
    assertEquals(jwks.requests(), round);
    clock.advance(1);
    assertEquals(new Set(await Promise.all(refused)), new Set([INVALID]));
    assertEquals([jwks.requests(), clock.waits.length], [round + 1, round]);
  }
});

testKeys("does not take a fetch that began before the question for an answer", async (test) => {
  const { jwks, clock, authenticate, sign, signUnknown } = test;
  await authenticate(await sign());
  clock.advance(RELOAD_MS);
  jwks.answer("hang");
  const first = refusal(authenticate, await signUnknown());
  await jwks.requested(2);
  const second = refusal(authenticate, await signUnknown());
  jwks.answer("keys");
  assertEquals(await first, INVALID);
  await clock.waited(1);
  await jwks.addKey("unknown"); // too late for the second's token, whose signature is another key's
  const third = authenticate(await sign());
  clock.advance(RELOAD_MS);
  assertEquals([await second, await third], [INVALID, ALICE]);
  assertEquals(jwks.requests(), 3);
});

testKeys("accepts a new key without a name after a rotation", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  await authenticate(await sign({}, { header: { kid: undefined } }));
  clock.advance(RELOAD_MS);
  await jwks.rotate("key-2");
  assertEquals(await authenticate(await sign({}, { header: { kid: undefined } })), ALICE);
  assertEquals(jwks.requests(), 2);
});

testKeys("fetches old keys anew in the background, and then refuses one removed", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const old = await sign();
  await authenticate(old);
  await jwks.rotate("key-2");
  clock.advance(MAX_AGE_MS - 1);
  await authenticate(old);
  assertEquals(jwks.requests(), 1);
  clock.advance(1);
  jwks.answer("hang");
  assertEquals(await authenticate(old), ALICE);
  await jwks.requested(2);
  assertEquals(await authenticate(old), ALICE);
  const fresh = authenticate(await sign());
  jwks.answer("keys");
  assertEquals(await fresh, ALICE); // the fetch has ended
  const refused = refusal(authenticate, old);
  await clock.waited(1);
  clock.advance(RELOAD_MS);
  assertEquals(await refused, INVALID);
  assertEquals(jwks.requests(), 3);
});

for (const answer of ["fail", "garbage"] as const) {
  testKeys(`goes on with known keys while the server answers "${answer}"`, async (test) => {
    const { jwks, clock, failed, authenticate, sign } = test;
    const token = await sign();
    await authenticate(token);
    jwks.answer(answer);
    clock.advance(MAX_AGE_MS);
    assertEquals(await authenticate(token), ALICE);
    await failed(1);
    clock.advance(RELOAD_MS - 1);
    assertEquals(await authenticate(token), ALICE);
    assertEquals(jwks.requests(), 2);
    clock.advance(MAX_STALE_MS - MAX_AGE_MS - RELOAD_MS);
    assertEquals(await authenticate(token), ALICE);
    await failed(2);
    assertEquals([jwks.requests(), clock.waits], [3, []]);
  });
}

testKeys("goes on with known keys when the server is gone, and not for ever", async (test) => {
  const { jwks, clock, failed, authenticate, sign } = test;
  const token = await sign();
  await authenticate(token);
  await jwks.close();
  clock.advance(MAX_AGE_MS);
  assertEquals(await authenticate(token), ALICE);
  await failed(1);
  clock.advance(MAX_STALE_MS - MAX_AGE_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
});

testKeys("counts the age of keys from the beginning of their fetch", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  jwks.answer("hang");
  const token = await sign();
  const first = authenticate(token);
  await jwks.requested(1);
  clock.advance(RELOAD_MS);
  jwks.answer("keys");
  assertEquals(await first, ALICE);
  jwks.answer("fail");
  clock.advance(MAX_STALE_MS - RELOAD_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
});

testKeys("takes keys that were too old again when the server is back", async (test) => {
  const { jwks, clock, authenticate, sign } = test;
  const token = await sign();
  await authenticate(token);
  jwks.answer("fail");
  clock.advance(MAX_STALE_MS + 1);
  assertEquals(await refusal(authenticate, token), UNCHECKED);
  jwks.answer("keys");
  clock.advance(RELOAD_MS);
  assertEquals(await authenticate(token), ALICE);
});

for (const answer of ["fail", "garbage"] as const) {
  testKeys(`says to try again when its first fetch meets "${answer}"`, async (test) => {
    const { jwks, clock, authenticate, sign } = test;
    jwks.answer(answer);
    const token = await sign();
    assertEquals(await refusal(authenticate, token), UNCHECKED);
    const again = authenticate(token);
    await clock.waited(1);
    assertEquals(jwks.requests(), 1);
    jwks.answer("keys");
    clock.advance(RELOAD_MS);
    assertEquals(await again, ALICE);
  });
}

testKeys("says to try again when there is no server", async ({ jwks, authenticate, sign }) => {
  await jwks.close();
  assertEquals(await refusal(authenticate, await sign()), UNCHECKED);
});

testKeys("says to try again when the server does not answer in time", async (test) => {
  test.jwks.answer("hang");
  assertEquals(await refusal(test.authenticate, await test.sign()), UNCHECKED);
}, { timeoutMs: 20 });

testKeys("says to try again for an unknown key while the server is down", async (test) => {
  const { jwks, clock, authenticate, sign, signUnknown } = test;
  const token = await sign();
  await authenticate(token);
  clock.advance(RELOAD_MS);
  jwks.answer("fail");
  assertEquals(await refusal(authenticate, await signUnknown()), UNCHECKED);
  assertEquals(await authenticate(token), ALICE);
});

testKeys(
  "refuses a bad signature by a known key for good while the server is down",
  async (test) => {
    const { jwks, clock, authenticate, sign } = test;
    const token = await sign();
    await authenticate(token);
    clock.advance(RELOAD_MS);
    jwks.answer("fail");
    const forged = tamper(token, 1, () => encode({ sub: "root", exp: EXP }));
    assertEquals(await refusal(authenticate, forged), INVALID);
    assertEquals(jwks.requests(), 1);
  },
);

Deno.test("createJwtCheck() waits for the next fetch by a timer of its own", async () => {
  await using jwks = await startJwks();
  const authenticate = authenticator({ jwksUrl: jwks.url, reloadMs: 20 });
  await authenticate(await jwks.sign({ exp: EXP }));
  await jwks.addKey("key-2");
  assertEquals(await authenticate(await jwks.sign({ exp: EXP })), ALICE);
  assertEquals(jwks.requests(), 2);
});
