/**
 * Reads the credential of a handshake: from `Authorization`, or from a subprotocol that the client offers, since
 * browsers cannot set header fields of a WebSocket. Never from the URL, which is written to logs.
 *
 * @module
 */

/** The maximum length of a token, in characters. */
export const MAX_TOKEN_LENGTH = 8192;

/** The credential that a handshake presents. */
export type PresentedCredential =
  | { readonly type: "none" }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "malformed"; readonly message: string };

const B64TOKEN = /^[\w\-.~+/]+=*$/; // RFC 6750 §2.1
const BEARER_SCHEME = /^bearer(?=[\s,]|$)/i; // RFC 9110 §11.1: the name of a scheme is case-insensitive
const OTHER_BEARER = /,\s*bearer(?:\s|$)/i;
const BEARER_PROTOCOL = "bearer.";
const BASE64URL = /^[\w-]+$/;
const MAX_ENCODED_LENGTH = Math.ceil(MAX_TOKEN_LENGTH * 4 / 3);

/** Returns whether a text is a token that `Authorization: Bearer` can carry (`b64token`, RFC 6750 §2.1). */
export function isToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && B64TOKEN.test(text);
}

/**
 * Reads the bearer token of a handshake: that of `Authorization: Bearer <token>`, or of the subprotocol
 * `bearer.<base64url of the token, without padding>`. Other schemes of `Authorization` are ignored.
 */
export function readCredential(headers: Headers): PresentedCredential {
  const protocols = (headers.get("sec-websocket-protocol") ?? "").split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.startsWith(BEARER_PROTOCOL));
  const authorization = readAuthorization(headers.get("authorization") ?? "");
  const [protocol] = protocols;
  if (protocol === undefined || authorization.type === "malformed") return authorization;
  // RFC 6750 §2: a client must not use two ways in one request.
  if (authorization.type === "token") {
    return malformed('Send the credential either in "Authorization" or as a subprotocol, not both');
  }
  if (protocols.length > 1) {
    return malformed("Offer one subprotocol with a credential, not several");
  }
  return readProtocol(protocol.slice(BEARER_PROTOCOL.length));
}

function readAuthorization(value: string): PresentedCredential {
  // Headers joins repeated fields with commas, which a b64token does not contain.
  if (!BEARER_SCHEME.test(value)) {
    return OTHER_BEARER.test(value)
      ? malformed('Send "Authorization" once, as "Bearer" and a token')
      : { type: "none" };
  }
  const [, token] = /^\w+ +(.*)$/.exec(value) ?? [];
  return token !== undefined && isToken(token)
    ? { type: "token", token }
    : malformed('"Authorization" must be "Bearer", a space and one token (RFC 6750 §2.1)');
}

function readProtocol(encoded: string): PresentedCredential {
  const token = encoded.length <= MAX_ENCODED_LENGTH ? decode(encoded) : undefined;
  return token !== undefined && isToken(token)
    ? { type: "token", token }
    : malformed('The subprotocol must be "bearer." and a token in base64url without padding');
}

/** Decodes base64url. Returns `undefined` if the text is not the canonical encoding of UTF-8. */
function decode(encoded: string): string | undefined {
  if (!BASE64URL.test(encoded)) return undefined;
  try {
    // "strict" refuses extra bits at the end, but requires the padding that a subprotocol cannot contain.
    const bytes = Uint8Array.fromBase64(encoded + "=".repeat((4 - encoded.length % 4) % 4), {
      alphabet: "base64url",
      lastChunkHandling: "strict",
    });
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // without the error, which may quote most of a token
  }
}

function malformed(message: string): PresentedCredential {
  return { type: "malformed", message };
}
