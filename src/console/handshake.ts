/**
 * Finds out why a WebSocket did not open. Browsers do not tell pages, so the console asks the service over HTTP.
 *
 * @module
 */
import { HTTP_ERRORS, type HttpErrorCode } from "../protocol/mod.ts";

/** How the service would respond to a handshake. */
export type HandshakeOutcome =
  /** The service would accept it. */
  | { readonly type: "admitted" }
  | { readonly type: "refused"; readonly code: HttpErrorCode; readonly message: string }
  | { readonly type: "unreachable" };

/** Asks the service whether it would accept a handshake of this page with this token. */
export type HandshakeProbe = (token: string | undefined) => Promise<HandshakeOutcome>;

const PATH = "/console/handshake";
const TIMEOUT_MS = 10_000;

/** Creates a {@linkcode HandshakeProbe}. */
export function createHandshakeProbe(
  fetch: typeof globalThis.fetch = (input, init) => globalThis.fetch(input, init),
): HandshakeProbe {
  return async (token) => {
    const headers = new Headers();
    try {
      if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    } catch {
      const message = "The token contains characters that are not valid in a credential";
      return { type: "refused", code: "bad_handshake", message };
    }
    try {
      // With POST, browsers send the origin of the page, as they do with a handshake.
      const response = await fetch(PATH, {
        method: "POST",
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return response.ok ? { type: "admitted" } : toOutcome(response.status, await response.text());
    } catch {
      return { type: "unreachable" };
    }
  };
}

function toOutcome(status: number, text: string): HandshakeOutcome {
  const { code, message } = parseRefusal(text);
  if (code !== undefined) return { type: "refused", code, message };
  // The response of a proxy in front of the service.
  return status >= 500
    ? { type: "unreachable" }
    : { type: "refused", code: "not_found", message: `The response had status ${status}` };
}

function parseRefusal(
  text: string,
): { readonly code: HttpErrorCode | undefined; readonly message: string } {
  try {
    const { error: { code, message } } = JSON.parse(text);
    const known = Object.keys(HTTP_ERRORS).find((name) => name === code);
    return { code: known as HttpErrorCode | undefined, message: String(message) }; // a key of HTTP_ERRORS
  } catch {
    return { code: undefined, message: "" };
  }
}
