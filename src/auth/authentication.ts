/**
 * Authentication as the operator configures it: static tokens, JWTs, or both.
 *
 * @module
 */
import { type Authenticator, createAuthenticator } from "./authenticator.ts";
import { createJwtCheck, type JwtOptions } from "./jwt.ts";
import { createTokenCheck, type TokenRule } from "./token.ts";

/** The credentials that clients may use. */
export interface AcceptedCredentials {
  /** Static tokens; may be empty. */
  readonly tokens: readonly TokenRule[];
  /** Absent: no JWT is accepted. */
  readonly jwt?: JwtOptions;
}

/**
 * Creates the authenticator of clients. Returns `undefined` if clients need no credential. No JWT is accepted whose
 * subject is the name of a static token.
 *
 * @param onKeysFailed Called with the error when the key set of JWTs cannot be fetched.
 */
export function createAuthentication(
  { tokens, jwt }: AcceptedCredentials,
  onKeysFailed: (error: unknown) => void,
): Authenticator | undefined {
  if (jwt === undefined) {
    return tokens.length === 0 ? undefined : createAuthenticator([createTokenCheck(tokens)]);
  }
  const reservedSubjects = new Set(tokens.map(({ name }) => name));
  return createAuthenticator([
    createTokenCheck(tokens),
    createJwtCheck({ ...jwt, reservedSubjects }, { onKeysFailed }),
  ]);
}
