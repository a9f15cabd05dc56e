/**
 * Where a client puts its credential: in `Authorization`, or, as a browser cannot set that on a
 * WebSocket, in a subprotocol that it offers. Never in the URL, which ends up in logs.
 *
 * @module
 */
import { BEARER_PREFIX, decodeBearerProtocol, isBearerToken } from "../protocol/mod.ts";

/** What a handshake carries. */
export type Credential =
  | { readonly type: "none" }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "malformed"; readonly message: string };

const BEARER_SCHEME = /^bearer(?=[\s,]|$)/i; // RFC 9110 §11.1: the name of a scheme has no case
const OTHER_BEARER = /,\s*bearer(?:\s|$)/i;

/**
 * Gives the bearer token of a handshake: of `Authorization: Bearer <token>`, or of the subprotocol
 * `bearer.<base64url of the token, without padding>`. Another scheme is no credential.
 */
export function readCredential(headers: Headers): Credential {
  const protocols = (headers.get("sec-websocket-protocol") ?? "").split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol.startsWith(BEARER_PREFIX));
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
  const token = decodeBearerProtocol(protocol);
  return token === undefined
    ? malformed('The subprotocol must be "bearer." and a token in base64url without padding')
    : { type: "token", token };
}

function readAuthorization(value: string): Credential {
  // Headers joins repeated fields by commas, and a b64token has none.
  if (!BEARER_SCHEME.test(value)) {
    return OTHER_BEARER.test(value)
      ? malformed('Send "Authorization" once, as "Bearer" and a token')
      : { type: "none" };
  }
  const [, token] = /^\w+ +(.*)$/.exec(value) ?? [];
  return token !== undefined && isBearerToken(token)
    ? { type: "token", token }
    : malformed('"Authorization" has to be "Bearer", a space and one token (RFC 6750 §2.1)');
}

function malformed(message: string): Credential {
  return { type: "malformed", message };
}
