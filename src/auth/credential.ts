/**
 * Reads the credential of a handshake: from `Authorization`, or from a subprotocol that the client offers, since
 * browsers cannot set header fields of a WebSocket. Never from the URL, which is written to logs.
 *
 * @module
 */
import { BEARER_PREFIX, decodeBearerProtocol, isBearerToken } from "../protocol/mod.ts";

/** The credential that a handshake presents. */
export type PresentedCredential =
  | { readonly type: "none" }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "malformed"; readonly message: string };

const BEARER_SCHEME = /^bearer(?=[\s,]|$)/i; // RFC 9110 §11.1: the name of a scheme is case-insensitive
const OTHER_BEARER = /,\s*bearer(?:\s|$)/i;

/**
 * Reads the bearer token of a handshake: that of `Authorization: Bearer <token>`, or of the subprotocol
 * `bearer.<base64url of the token, without padding>`. Other schemes of `Authorization` are ignored.
 */
export function readCredential(headers: Headers): PresentedCredential {
  const protocols = (headers.get("sec-websocket-protocol") ?? "").split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.startsWith(BEARER_PREFIX));
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
  const token = decodeBearerProtocol(protocol);
  return token === undefined
    ? malformed('The subprotocol must be "bearer." and a token in base64url without padding')
    : { type: "token", token };
}

function readAuthorization(value: string): PresentedCredential {
  // Headers joins repeated fields with commas, which a b64token does not contain.
  if (!BEARER_SCHEME.test(value)) {
    return OTHER_BEARER.test(value)
      ? malformed('Send "Authorization" once, as "Bearer" and a token')
      : { type: "none" };
  }
  const [, token] = /^\w+ +(.*)$/.exec(value) ?? [];
  return token !== undefined && isBearerToken(token)
    ? { type: "token", token }
    : malformed('"Authorization" must be "Bearer", a space and one token (RFC 6750 §2.1)');
}

function malformed(message: string): PresentedCredential {
  return { type: "malformed", message };
}
