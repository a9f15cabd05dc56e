/**
 * A bearer token as a WebSocket subprotocol, and back: a browser can offer subprotocols in a handshake, but
 * cannot set `Authorization`.
 *
 * @module
 */
import { toBase64 } from "./base64.ts";

/** The start of every subprotocol that carries a bearer token. */
export const BEARER_PREFIX = "bearer.";

/** The longest bearer token that a server accepts, in characters. */
export const MAX_TOKEN_LENGTH = 8192;

const B64TOKEN = /^[\w\-.~+/]+=*$/;

/**
 * Reports whether a text has the form of a bearer token (`b64token`, RFC 6750 §2.1) and at most
 * {@linkcode MAX_TOKEN_LENGTH} characters.
 */
export function isBearerToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && B64TOKEN.test(text);
}

/**
 * Returns the subprotocol that carries a token: `bearer.` and the UTF-8 of the token in base64url without
 * padding (RFC 4648 §5).
 *
 * @param token Any text; a server accepts it only if {@linkcode isBearerToken} does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeBearerProtocol, encodeBearerProtocol } from "./handshake.ts";
 *
 * assertEquals(encodeBearerProtocol("secret-token"), "bearer.c2VjcmV0LXRva2Vu");
 * assertEquals(decodeBearerProtocol("bearer.c2VjcmV0LXRva2Vu"), "secret-token");
 * ```
 */
export function encodeBearerProtocol(token: string): string {
  const base64 = toBase64(new TextEncoder().encode(token));
  return BEARER_PREFIX + base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/**
 * Returns the token that a subprotocol carries. Returns `undefined` if the subprotocol is not exactly what
 * {@linkcode encodeBearerProtocol} returns for a bearer token: each token has one valid encoding.
 */
export function decodeBearerProtocol(protocol: string): string | undefined {
  if (!protocol.startsWith(BEARER_PREFIX)) return undefined;
  const encoded = protocol.slice(BEARER_PREFIX.length);
  if (encoded.length > Math.ceil(MAX_TOKEN_LENGTH * 4 / 3)) return undefined;
  const token = decodeBase64(encoded.replace(/-/g, "+").replace(/_/g, "/"));
  if (token === undefined || !isBearerToken(token)) return undefined;
  // `atob` also accepts padding, blanks and unused bits that are not 0, which the comparison refuses.
  return encodeBearerProtocol(token) === protocol ? token : undefined;
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined; // the error would quote the text, which may be most of a token
  }
}
