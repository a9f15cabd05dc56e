/**
 * Finds the identity of a client by its token.
 *
 * @module
 */
import { MAX_TOKEN_LENGTH, ProxyError } from "../protocol/mod.ts";

/** The owner of a connection. */
export interface Identity {
  readonly subject: string;
  /** When the token expires, in milliseconds since the epoch. Absent: never. */
  readonly expiresAt?: number;
}

/** Authenticates clients. */
export interface Authenticator {
  /**
   * Returns the identity that a token belongs to.
   *
   * @throws {ProxyError} `unauthorized`, as a rejection. It is retryable, and has `retryAfterMs`, only if the
   * token cannot be checked at present.
   */
  authenticate(token: string): Promise<Identity>;
}

/**
 * One way to check a token. Returns the identity, or `undefined` if the token is not of the check's kind, so
 * that the next check is asked.
 *
 * @throws {ProxyError} `unauthorized`, also as a rejection: the token is invalid, and no other check is asked.
 */
export type CredentialCheck = (
  token: string,
) => Identity | undefined | Promise<Identity | undefined>;

/** Creates an {@linkcode Authenticator} that asks these checks in their order. */
export function createAuthenticator(checks: readonly CredentialCheck[]): Authenticator {
  return {
    async authenticate(token): Promise<Identity> {
      if (token.length > MAX_TOKEN_LENGTH) throw invalidCredential();
      for (const check of checks) {
        const identity = await check(token);
        if (identity !== undefined) return identity;
      }
      throw invalidCredential();
    },
  };
}

/**
 * Returns the error of an invalid credential. The default message does not tell a stranger why the credential
 * is invalid, and so nothing about the credentials that are valid.
 */
export function invalidCredential(
  message = "The credential is not valid",
  cause?: unknown,
): ProxyError {
  return new ProxyError("unauthorized", message, { cause });
}
