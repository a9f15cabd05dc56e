/**
 * Validates WebSocket handshakes (RFC 6455 §4.2.1) and selects the subprotocol.
 *
 * @module
 */
import { SUBPROTOCOL } from "../protocol/mod.ts";
import type { Refusal } from "./refusal.ts";

const WEBSOCKET_VERSION = "13"; // RFC 6455 §4.1
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/; // 16 bytes in base64, RFC 6455 §4.1

/** Returns what is wrong with a handshake, or `undefined` if it is valid. */
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
  const offered = parseList(headers, "sec-websocket-protocol");
  if (offered.length > 0 && !offered.includes(SUBPROTOCOL)) {
    return {
      code: "bad_handshake",
      message:
        `The service supports none of the offered subprotocols; offer ${SUBPROTOCOL} or none`,
    };
  }
  return undefined;
}

/** Returns the subprotocol that a valid handshake selects, or `undefined` if it offers none. */
export function selectSubprotocol(headers: Headers): typeof SUBPROTOCOL | undefined {
  return parseList(headers, "sec-websocket-protocol").length > 0 ? SUBPROTOCOL : undefined;
}

function hasToken(headers: Headers, name: string, token: string): boolean {
  return parseList(headers, name).some((item) => item.toLowerCase() === token);
}

function parseList(headers: Headers, name: string): readonly string[] {
  const items = (headers.get(name) ?? "").split(",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}
