/**
 * Authenticates the client that sent a request.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import { readCredential } from "../auth/credential.ts";
import { ProxyError } from "../protocol/mod.ts";
import { type Refusal, toRetryAfter } from "./refusal.ts";

// RFC 6750 §3. The realm tells people what they are asked to sign in to.
const CHALLENGE = 'Bearer realm="wsfetch"';
const DEFAULT_RETRY_AFTER_MS = 1000;

/**
 * Returns the identity of a client, or why its credential is refused. Returns `undefined` if clients need no
 * credential.
 *
 * @param headers The headers of the client's request.
 * @param authenticator `undefined` if clients need no credential.
 */
export async function authenticate(
  headers: Headers,
  authenticator: Authenticator | undefined,
): Promise<Identity | Refusal | undefined> {
  if (authenticator === undefined) return undefined;
  const credential = readCredential(headers);
  if (credential.type === "malformed") {
    return { code: "bad_handshake", message: credential.message };
  }
  if (credential.type === "none") {
    return {
      code: "unauthorized",
      message:
        'A credential is required; send it as "Authorization: Bearer" and the token or, from a ' +
        'browser, as a subprotocol of "bearer." and the token in base64url',
      headers: { "www-authenticate": CHALLENGE },
    };
  }
  try {
    return await authenticator.authenticate(credential.token);
  } catch (error) {
    if (error instanceof ProxyError && error.code === "unauthorized") return toRefusal(error);
    throw error;
  }
}

function toRefusal({ message, retryable, retryAfterMs }: ProxyError): Refusal {
  if (retryable) {
    const headers = toRetryAfter(retryAfterMs ?? DEFAULT_RETRY_AFTER_MS);
    return { code: "authentication_unavailable", message, headers };
  }
  const headers = { "www-authenticate": `${CHALLENGE}, error="invalid_token"` };
  return { code: "unauthorized", message, headers };
}
