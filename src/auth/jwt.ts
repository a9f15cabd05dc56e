/**
 * JSON Web Tokens (RFC 7519), signed by a key of the operator's key set or with a shared secret.
 *
 * @module
 */
import { errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose";
import { systemClock } from "../clock.ts";
import { ProxyError } from "../protocol/mod.ts";
import { type CredentialCheck, type Identity, invalidCredential } from "./authenticator.ts";
import { verifyByKeySet } from "./jwt_signature.ts";
import { createKeySet, type KeySetDeps, type KeySetOptions } from "./key_set.ts";

/** The kind of key that signatures are verified with: public keys of a key set, or a shared secret. */
export type KeyKind = "jwks" | "secret";

/** Which tokens are valid, and how keys are fetched. Either `jwksUrl` or `secret` must be given. */
export interface JwtOptions extends KeySetOptions {
  /** The URL of the key set (RFC 7517 §5). */
  readonly jwksUrl?: URL;
  /** The secret of HMAC signatures, as text; its UTF-8 is the key. */
  readonly secret?: string;
  /** The issuer that `iss` must name. Default: any. */
  readonly issuer?: string;
  /** The audiences, one of which `aud` must name. Default: any. */
  readonly audience?: string | readonly string[];
  /** Default: {@linkcode defaultAlgorithms}. */
  readonly algorithms?: readonly string[];
  /** Subjects of other credentials. A JWT with one of them is invalid. */
  readonly reservedSubjects?: ReadonlySet<string>;
  /** How long before `nbf` a token is valid. Default: 5. */
  readonly clockToleranceSeconds?: number;
}

// RFC 8725 §3.1: each kind of key has its own algorithms. If a public key could be used as an HMAC secret, everyone
// could sign; "none" needs no key at all.
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
const MAX_TIME_MS = 253_402_300_799_999; // the last time that RFC 3339 can represent
// The subject is written to logs: no invisible characters, and none that change the direction of text.
const SUBJECT = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u;

/** Returns the algorithms that are allowed by default. */
export function defaultAlgorithms(kind: KeyKind): readonly string[] {
  return kind === "jwks" ? ALGORITHMS.jwks : ["HS256"];
}

/**
 * Returns the algorithms if each of them can be used with this kind of key. `none` cannot be used with any.
 *
 * @throws {TypeError} An algorithm cannot be used, or the list is empty.
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
 * Returns the bytes of a secret, which must be long enough for each of the HMAC algorithms.
 *
 * @throws {TypeError} The secret is shorter than the hash of an algorithm (RFC 7518 §3.2).
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
 * Creates a check of JWTs. A valid token has a valid signature, `exp` and `sub`, and a valid `nbf`, `iss` and `aud`
 * where they are present or required. A token with an unknown key has the key set fetched again, at most once per
 * `reloadMs`; all tokens that arrive in between wait for the same fetch.
 *
 * @throws {TypeError} An option is wrong.
 */
export function createJwtCheck(options: JwtOptions, deps: KeySetDeps = {}): CredentialCheck {
  const { clock = systemClock } = deps;
  const verify = createVerify(options, deps);
  return async function checkJwt(token: string): Promise<Identity> {
    try {
      const identity = toIdentity(await verify(token, new Date(clock.epochMs())));
      // jose applies the tolerance to `exp` too, but an expired token could not be used for any request.
      if (clock.epochMs() >= identity.expiresAt) throw invalidCredential(EXPIRED);
      if (options.reservedSubjects?.has(identity.subject)) throw invalidCredential();
      return identity;
    } catch (error) {
      throw error instanceof ProxyError ? error : toRefusal(error);
    }
  };
}

type Verify = (token: string, currentDate: Date) => Promise<JWTPayload>;

function createVerify(options: JwtOptions, deps: KeySetDeps): Verify {
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

function toIdentity({ sub, exp }: JWTPayload): Required<Identity> {
  const expiresAt = Math.floor((exp ?? NaN) * 1000);
  // jose's type says string, but the claim may have any type.
  if (typeof sub !== "string" || !SUBJECT.test(sub)) throw invalidCredential();
  if (!(Math.abs(expiresAt) <= MAX_TIME_MS)) throw invalidCredential();
  return { subject: sub, expiresAt };
}

/** Returns the error for the client. It gives a reason only if the signature is valid and a claim is not. */
function toRefusal(error: unknown): ProxyError {
  // Messages and causes of jose contain parts of the token; its code does not.
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
