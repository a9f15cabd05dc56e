/**
 * JSON Web Tokens (RFC 7519), signed by a key of the operator's key set or with a shared secret.
 *
 * @module
 */
import {
  type CryptoKey,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { ProxyError } from "../protocol/mod.ts";
import { type CredentialCheck, type Identity, invalidCredential } from "./authenticator.ts";
import { createKeySet, type KeySet, type KeySetDeps, type KeySetOptions } from "./key_set.ts";

/** What signatures are checked with: public keys that are fetched, or a secret. */
export type KeyKind = "jwks" | "secret";

/** Which tokens are accepted, and how keys are fetched. Either `jwksUrl` or `secret`. */
export interface JwtOptions extends KeySetOptions {
  /** Where the key set is (RFC 7517 §5). */
  readonly jwksUrl?: URL;
  /** What HMAC signatures are made with; its bytes are its UTF-8. */
  readonly secret?: string;
  /** The only `iss`. Default: any. */
  readonly issuer?: string;
  /** `aud` has to have one of them. Default: any. */
  readonly audience?: string | readonly string[];
  /** Default: {@linkcode defaultAlgorithms}. */
  readonly algorithms?: readonly string[];
  /** Subjects that belong to others: no JWT may be theirs. */
  readonly reservedSubjects?: ReadonlySet<string>;
  /** How far `nbf` may be off. Default 5. */
  readonly clockToleranceSeconds?: number;
}

/** What a JWT check needs of the outside. */
export interface JwtDeps extends KeySetDeps {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

// RFC 8725 §3.1: one kind of key, one kind of algorithm. A public key taken for an HMAC secret would
// let everybody sign, and "none" needs no key at all.
const ALGORITHMS: Readonly<Record<KeyKind, readonly string[]>> = {
  jwks: [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
  ],
  secret: ["HS256", "HS384", "HS512"],
};

const EXPIRED = "The credential has expired; get a new one";
const MAX_TIME_MS = 253_402_300_799_999; // the last that RFC 3339 can write
// It goes into logs and the keys of limits: no characters that are not seen, or turn lines around.
const SUBJECT = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u;

/** Gives the algorithms that are accepted unless the operator names some. */
export function defaultAlgorithms(kind: KeyKind): readonly string[] {
  return kind === "jwks" ? ALGORITHMS.jwks : ["HS256"];
}

/**
 * Gives the algorithms back when each can be used with this kind of key, which `none` never can.
 *
 * @throws {TypeError} One cannot, or there is none.
 */
export function parseAlgorithms(kind: KeyKind, algorithms: readonly string[]): readonly string[] {
  const usable = ALGORITHMS[kind];
  const wrong = algorithms.find((algorithm) => !usable.includes(algorithm));
  if (wrong === undefined && algorithms.length > 0) return algorithms;
  const what = wrong === undefined ? "There is no algorithm" : `${JSON.stringify(wrong)} is wrong`;
  const where = kind === "jwks" ? "a key set" : "a secret";
  throw new TypeError(`${what}; with ${where}, use some of ${usable.join(", ")}`);
}

/**
 * Gives the bytes of a secret that is long enough for each of the HMAC algorithms.
 *
 * @throws {TypeError} It is shorter than a hash (RFC 7518 §3.2).
 */
export function parseSecret(secret: string, algorithms: readonly string[]): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  for (const algorithm of algorithms) {
    const minBytes = Number(algorithm.slice(2)) / 8;
    if (bytes.length < minBytes) {
      throw new TypeError(`The secret is too short: ${algorithm} needs ${minBytes} bytes or more`);
    }
  }
  return bytes;
}

/**
 * Creates a check of JWTs: a signature that holds, `exp` and `sub`, and `nbf`, `iss` and `aud` where
 * they count. A key that is not known makes it fetch the key set again, at most once per `reloadMs`:
 * whoever comes with one in between waits for the same fetch.
 *
 * @throws {TypeError} An option is wrong.
 */
export function createJwtCheck(options: JwtOptions, deps: JwtDeps = {}): CredentialCheck {
  const { now = Date.now } = deps;
  const verify = createVerify(options, deps);
  return async function checkJwt(token: string): Promise<Identity> {
    try {
      const identity = toIdentity(await verify(token, new Date(now())));
      // What nothing could be requested with is no credential: the tolerance is for what comes too early.
      if (now() >= identity.expiresAt) throw invalidCredential(EXPIRED);
      if (options.reservedSubjects?.has(identity.subject)) throw invalidCredential();
      return identity;
    } catch (error) {
      throw error instanceof ProxyError ? error : toRefusal(error);
    }
  };
}

type Verify = (token: string, currentDate: Date) => Promise<JWTPayload>;

function createVerify(options: JwtOptions, deps: JwtDeps): Verify {
  const { jwksUrl, secret, issuer, audience, clockToleranceSeconds = 5 } = options;
  const kind = jwksUrl === undefined ? "secret" : "jwks";
  const algorithms = parseAlgorithms(kind, options.algorithms ?? defaultAlgorithms(kind));
  const rules: JWTVerifyOptions = {
    algorithms: [...algorithms],
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ["exp", "sub"],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience: [audience].flat() }),
  };
  if (jwksUrl !== undefined && secret === undefined) {
    const keySet = createKeySet(jwksUrl, options, deps);
    return (token, currentDate) => verifyByKeySet(token, keySet, { ...rules, currentDate });
  }
  if (jwksUrl !== undefined || secret === undefined) {
    throw new TypeError("JWTs need either the URL of a key set or a secret");
  }
  const key = parseSecret(secret, algorithms);
  return async (token, currentDate) =>
    (await jwtVerify(token, key, { ...rules, currentDate })).payload;
}

/** A key that is not known may be a new one: refused is what keys fetched after the question lack. */
async function verifyByKeySet(
  token: string,
  keySet: KeySet,
  rules: JWTVerifyOptions,
): Promise<JWTPayload> {
  const begun = keySet.begun();
  let seen = 0;
  const find: JWTVerifyGetKey<CryptoKey> = async (header, input) => {
    await keySet.prepare();
    seen = keySet.loaded();
    return await keySet.find(header, input);
  };
  for (;;) {
    try {
      return await verifyByFoundKey(token, find, rules);
    } catch (error) {
      if (!isKeyUnknown(error, token) || seen > begun) throw error;
    }
    await keySet.load();
  }
}

async function verifyByFoundKey(
  token: string,
  find: JWTVerifyGetKey<CryptoKey>,
  rules: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, rules)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // Without a "kid" every key of its kind may be the one.
    for await (const key of error) {
      try {
        return (await jwtVerify(token, key, rules)).payload;
      } catch (reason) {
        if (!(reason instanceof errors.JWSSignatureVerificationFailed)) throw reason;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function isKeyUnknown(error: unknown, token: string): boolean {
  return error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWSSignatureVerificationFailed &&
      decodeProtectedHeader(token).kid === undefined;
}

function toIdentity({ sub, exp }: JWTPayload): Required<Identity> {
  const expiresAt = Math.floor((exp ?? NaN) * 1000);
  // "sub" is what the token says, whatever the type says.
  if (typeof sub !== "string" || !SUBJECT.test(sub)) throw invalidCredential();
  if (!(Math.abs(expiresAt) <= MAX_TIME_MS)) throw invalidCredential();
  return { subject: sub, expiresAt };
}

/** The signature held when a claim is complained of, so its holder may know; all else is one answer. */
function toRefusal(error: unknown): ProxyError {
  // Only the code: jose's messages and causes have parts of the token.
  const cause = error instanceof errors.JOSEError ? new Error(error.code) : error;
  if (error instanceof errors.JWTExpired) {
    return invalidCredential(EXPIRED, cause);
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === "iss" || claim === "aud") {
      return invalidCredential("The credential is not for this service", cause);
    }
    if (claim === "nbf" && reason === "check_failed") {
      return invalidCredential("The credential is not valid yet; try again later", cause);
    }
  }
  return invalidCredential(undefined, cause);
}
