/**
 * Whose a credential is, by the checks that are configured.
 *
 * @module
 */
import { MAX_TOKEN_LENGTH, ProxyError } from "../protocol/mod.ts";

/** Who a connection belongs to. */
export interface Identity {
  readonly subject: string;
  /** When the credential ends, in milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
}

/** Tells whose a token is. */
export interface Authenticator {
  /**
   * Gives the identity that a token stands for.
   *
   * @throws {ProxyError} `unauthorized`, as a rejection; retryable, with `retryAfterMs`, only when the
   * token could not be checked now.
   */
  authenticate(token: string): Promise<Identity>;
}

/**
 * One way to check a token: gives its identity, or `undefined` when the token is none of this check's
 * and the next one is to see it.
 *
 * @throws {ProxyError} `unauthorized`, also as a rejection: no other check will accept the token.
 */
export type CredentialCheck = (
  token: string,
) => Identity | undefined | Promise<Identity | undefined>;

/** Creates an {@linkcode Authenticator} that asks the checks in their order. */
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
 * Gives the refusal of a credential. Its default message is the same for every reason that would tell
 * a stranger what credentials there are.
 */
export function invalidCredential(
  message = "The credential is not valid",
  cause?: unknown,
): ProxyError {
  return new ProxyError("unauthorized", message, { cause });
}
