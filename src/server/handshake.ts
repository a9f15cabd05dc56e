/**
 * The WebSocket handshake as a client has to make it (RFC 6455 §4.2.1).
 *
 * @module
 */
import { SUBPROTOCOL } from "../protocol/mod.ts";
import type { Refusal } from "./responses.ts";

const WEBSOCKET_VERSION = "13"; // RFC 6455 §4.1
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/; // 16 bytes in base64, RFC 6455 §4.1

/** Says what is wrong with a handshake; `undefined`: nothing. */
export function findMalformed(headers: Headers): Refusal | undefined {
  if (!hasToken(headers, "upgrade", "websocket") || !hasToken(headers, "connection", "upgrade")) {
    return {
      code: "upgrade_required",
      message: "This is a WebSocket endpoint; connect with a WebSocket client",
      headers: { upgrade: "websocket", connection: "Upgrade" },
    };
  }
  if (headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) {
    return {
      code: "upgrade_required",
      message: `The WebSocket version must be ${WEBSOCKET_VERSION}`,
      headers: { "sec-websocket-version": WEBSOCKET_VERSION, upgrade: "websocket" },
    };
  }
  if (!WEBSOCKET_KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return { code: "bad_handshake", message: "Sec-WebSocket-Key must be 16 bytes in base64" };
  }
  const offered = listOf(headers, "sec-websocket-protocol");
  if (offered.length > 0 && !offered.includes(SUBPROTOCOL)) {
    return {
      code: "bad_handshake",
      message: `None of the offered subprotocols is known; offer ${SUBPROTOCOL}, or none`,
    };
  }
  return undefined;
}

function hasToken(headers: Headers, name: string, token: string): boolean {
  return listOf(headers, name).some((item) => item.toLowerCase() === token);
}

/** Gives the subprotocol that a well-formed handshake selects; `undefined`: none was offered. */
export function selectSubprotocol(headers: Headers): typeof SUBPROTOCOL | undefined {
  return listOf(headers, "sec-websocket-protocol").length > 0 ? SUBPROTOCOL : undefined;
}

function listOf(headers: Headers, name: string): readonly string[] {
  return (headers.get(name) ?? "").split(",").map((item) => item.trim()).filter((item) =>
    item !== ""
  );
}
