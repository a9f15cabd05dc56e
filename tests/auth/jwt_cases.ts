/**
 * Tokens, and what becomes of them.
 *
 * @module
 */
import { assertEquals, assertFalse, assertRejects } from "@std/assert";
import { createAuthenticator, type Identity } from "../../src/auth/authenticator.ts";
import { createJwtCheck, type JwtOptions } from "../../src/auth/jwt.ts";
import type { KeySetDeps } from "../../src/auth/key_set.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";

/** The time of all tests, in seconds since the epoch. */
export const NOW_SECONDS = 1_700_000_000;
/** A time at which tokens expire. */
export const EXP = NOW_SECONDS + 60;
/** The identity of a valid token that expires at {@linkcode EXP}. */
export const ALICE: Identity = { subject: "alice", expiresAt: EXP * 1000 };
/** A secret of HMAC signatures. */
export const SECRET = "a secret of thirty-two bytes....";

/** The messages of refusals. */
export const INVALID = "The credential is not valid";
export const EXPIRED = "The credential has expired; get a new one";
export const TOO_EARLY = "The credential is not valid yet; try again later";
export const FOREIGN = "The credential is not for this service";
export const UNCHECKED = "The credential cannot be checked now; try again";

export type Authenticate = (token: string) => Promise<Identity>;

/** Creates what authenticates by JWTs, at {@linkcode NOW_SECONDS}. */
export function authenticator(options: JwtOptions, deps: KeySetDeps = {}): Authenticate {
  const clock = createFakeClock(NOW_SECONDS * 1000);
  return createAuthenticator([createJwtCheck(options, { clock, ...deps })]).authenticate;
}

/** Returns the message of a refusal. Asserts that the error contains no part of the token. */
export async function refusal(authenticate: Authenticate, token: string): Promise<string> {
  const error = await assertRejects(() => authenticate(token), ProxyError);
  assertEquals(error.code, "unauthorized");
  assertEquals(error.retryable, error.message === UNCHECKED);
  assertEquals(error.retryAfterMs, error.retryable ? 1000 : undefined);
  const shown = Deno.inspect(error, { depth: 9, strAbbreviateSize: 1e6 });
  for (const part of token.split(".").filter((part) => part.length > 8)) {
    assertFalse(shown.includes(part), "a part of the token is shown");
  }
  assertFalse(shown.includes("alice"), "a claim is shown");
  return error.message;
}

/** Encodes a text, or a value as JSON, in base64url. */
export function encode(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return bytes(text).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Returns the UTF-8 of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Returns a token with one of its parts changed. */
export function tamper(token: string, index: number, change: (part: string) => string): string {
  return token.split(".").map((part, i) => i === index ? change(part) : part).join(".");
}

/** A token, and whether it is valid. */
export interface Case {
  readonly name: string;
  /** The algorithm of the key. Default: ES256. */
  readonly alg?: string;
  readonly options?: Partial<JwtOptions>;
  readonly token: (jwks: JwksServer) => string | Promise<string>;
  /** The identity, or the message of the refusal. */
  readonly expected: Identity | string;
}

/** Signs a token with these claims. */
export function claims(more: Readonly<Record<string, unknown>>): Case["token"] {
  return (jwks) => jwks.sign({ exp: EXP, ...more });
}

/** Signs a payload as it is. */
export function payload(text: string): Case["token"] {
  return (jwks) => jwks.sign(text);
}

/** Registers a test of `createJwtCheck()` for each case. */
export function testCases(cases: readonly Case[]): void {
  for (const { name, alg, options, token, expected } of cases) {
    const does = typeof expected === "string" ? "refuses" : "accepts";
    Deno.test(`createJwtCheck() ${does} ${name}`, async () => {
      await using jwks = await startJwks(alg === undefined ? {} : { alg });
      const text = await token(jwks);
      const authenticate = authenticator({ jwksUrl: jwks.url, ...options });
      if (typeof expected === "string") assertEquals(await refusal(authenticate, text), expected);
      else assertEquals(await authenticate(text), expected);
    });
  }
}
