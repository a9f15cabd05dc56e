/**
 * Where a client puts its credential: in `Authorization`, or, as a browser cannot set that on a
 * WebSocket, in a subprotocol that it offers. Never in the URL, which ends up in logs.
 *
 * @module
 */

/** Characters that a token may have. */
export const MAX_TOKEN_LENGTH = 8192;

/** What a handshake carries. */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "malformed"; readonly message: string };

const B64TOKEN = /^[\w\-.~+/]+=*$/; // RFC 6750 §2.1
const BEARER_SCHEME = /^bearer(?=[\s,]|$)/i; // RFC 9110 §11.1: the name of a scheme has no case
const OTHER_BEARER = /,\s*bearer(?:\s|$)/i;
const BEARER_PROTOCOL = "bearer.";
const BASE64URL = /^[\w-]+$/;
const MAX_ENCODED_LENGTH = Math.ceil(MAX_TOKEN_LENGTH * 4 / 3);

/** Says whether a text is a token that `Authorization: Bearer` can carry (`b64token`, RFC 6750 §2.1). */
export function isToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && B64TOKEN.test(text);
}

/**
 * Gives the bearer token of a handshake: of `Authorization: Bearer <token>`, or of the subprotocol
 * `bearer.<base64url of the token, without padding>`. Another scheme is no credential.
 */
export function readCredential(headers: Headers): Credential {
  const protocols = (headers.get("sec-websocket-protocol") ?? "").split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.startsWith(BEARER_PROTOCOL));
  const authorization = readAuthorization(headers.get("authorization") ?? "");
  const [protocol] = protocols;
  if (protocol === undefined || authorization.type === "malformed") return authorization;
  // RFC 6750 §2: a client must not use two ways at once.
  if (authorization.type === "token") {
    return malformed('Send the credential either in "Authorization" or as a subprotocol, not both');
  }
  if (protocols.length > 1) {
    return malformed("Offer one subprotocol with a credential, not several");
  }
  return readProtocol(protocol.slice(BEARER_PROTOCOL.length));
}

function readAuthorization(value: string): Credential {
  // Headers joins repeated fields by commas, and a b64token has none.
  if (!BEARER_SCHEME.test(value)) {
    return OTHER_BEARER.test(value)
      ? malformed('Send "Authorization" once, as "Bearer" and a token')
      : { type: "none" };
  }
  const [, token] = /^\w+ +(.*)$/.exec(value) ?? [];
  return token !== undefined && isToken(token)
    ? { type: "token", token }
    : malformed('"Authorization" has to be "Bearer", a space and one token (RFC 6750 §2.1)');
}

function readProtocol(encoded: string): Credential {
  const token = encoded.length <= MAX_ENCODED_LENGTH ? decode(encoded) : undefined;
  return token !== undefined && isToken(token)
    ? { type: "token", token }
    : malformed('The subprotocol has to be "bearer." and a token in base64url without padding');
}

/** Decodes base64url in its one canonical form; `undefined`: it is not. */
function decode(encoded: string): string | undefined {
  if (!BASE64URL.test(encoded)) return undefined;
  try {
    // "strict" refuses bits that are left over, but wants the padding that a subprotocol cannot carry.
    const bytes = Uint8Array.fromBase64(encoded + "=".repeat((4 - encoded.length % 4) % 4), {
      alphabet: "base64url",
      lastChunkHandling: "strict",
    });
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // the caller says what is wrong: not the text, which may be most of a token
  }
}

function malformed(message: string): Credential {
  return { type: "malformed", message };
}
