/**
 * Who is let in: a credential that counts, where one is asked for, and a place of that identity's own.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { PresentedCredential } from "../auth/credential.ts";
import type { Lease, Limiter } from "../limits/limiter.ts";
import { ProxyError } from "../protocol/mod.ts";
import type { Refusal } from "./responses.ts";

/** A client that is let in. */
export interface Admitted {
  /** Who was authenticated; `undefined`: nobody. */
  readonly identity: Identity | undefined;
  /** What limits count by: the identity, else the client's address. */
  readonly key: string;
  /** The connection's place; to be disposed of when it has ended. */
  readonly lease: Lease;
}

/** Decides on a handshake from a client at an address. */
export type Admit = (headers: Headers, client: string) => Promise<Admitted | Refusal>;

/** What an admission works with. */
export interface AdmissionDeps {
  /** `undefined`: nobody is asked for a credential. */
  readonly authenticator: Authenticator | undefined;
  readonly readCredential: (headers: Headers) => PresentedCredential;
  /** Gives what an address is counted as. */
  readonly toAddressKey: (address: string) => string;
  readonly limiter: Limiter;
}

// RFC 6750 §3; the realm is what a person would be asked to sign in to.
const CHALLENGE = 'Bearer realm="wsfetch"';
const DEFAULT_RETRY_AFTER_MS = 1000;

/** Finds out who makes a request; `undefined`: nobody is asked. */
export type Authenticate = (headers: Headers) => Promise<Identity | Refusal | undefined>;

/** Creates an {@linkcode Authenticate}. */
export function createAuthenticate(
  { authenticator, readCredential }: Pick<AdmissionDeps, "authenticator" | "readCredential">,
): Authenticate {
  return async function authenticate(headers): Promise<Identity | Refusal | undefined> {
    if (authenticator === undefined) return undefined;
    const credential = readCredential(headers);
    if (credential.type === "malformed") {
      return { code: "bad_handshake", message: credential.message };
    }
    if (credential.type === "none") {
      return {
        code: "unauthorized",
        message: "A credential is needed; send it as Authorization: Bearer, or, from a browser, " +
          'as a subprotocol "bearer." and the token in base64url',
        headers: { "www-authenticate": CHALLENGE },
      };
    }
    try {
      return await authenticator.authenticate(credential.token);
    } catch (error) {
      if (error instanceof ProxyError && error.code === "unauthorized") return toRefusal(error);
      throw error;
    }
  };
}

/** Creates an {@linkcode Admit}. */
export function createAdmission(
  { toAddressKey, limiter, ...deps }: AdmissionDeps,
): Admit {
  const authenticate = createAuthenticate(deps);

  return async function admit(headers, client): Promise<Admitted | Refusal> {
    const identity = await authenticate(headers);
    if (identity !== undefined && "code" in identity) return identity;
    // The two kinds of keys must not meet.
    const key = identity === undefined
      ? `address:${toAddressKey(client)}`
      : `identity:${identity.subject}`;
    const lease = limiter.admitConnection(key);
    if (!("limit" in lease)) return { identity, key, lease };
    const { message, retryAfterMs } = lease;
    return { code: "rate_limited", message, headers: retryAfter(retryAfterMs) };
  };
}

function toRefusal({ message, retryable, retryAfterMs }: ProxyError): Refusal {
  if (retryable) {
    const headers = retryAfter(retryAfterMs ?? DEFAULT_RETRY_AFTER_MS);
    return { code: "authentication_unavailable", message, headers };
  }
  const headers = { "www-authenticate": `${CHALLENGE}, error="invalid_token"` };
  return { code: "unauthorized", message, headers };
}

/** Whole seconds (RFC 9110 §10.2.3). */
function retryAfter(ms: number): Readonly<Record<string, string>> {
  return { "retry-after": String(Math.max(1, Math.ceil(ms / 1000))) };
}
