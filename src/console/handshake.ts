/**
 * Why a WebSocket did not open: a browser tells a page nothing, so the service is asked over HTTP.
 *
 * @module
 */
import { HTTP_ERRORS, type HttpErrorCode } from "../protocol/mod.ts";

/** What the service says of a handshake. */
export type Verdict =
  /** It would have been accepted. */
  | { readonly type: "admitted" }
  | { readonly type: "refused"; readonly code: HttpErrorCode; readonly message: string }
  | { readonly type: "unreachable" };

/** Asks the service whether it would accept a handshake from this page. */
export type CheckHandshake = (token: string | undefined) => Promise<Verdict>;

/** What tests replace. */
export interface HandshakeDeps {
  readonly fetch?: typeof globalThis.fetch;
}

const PATH = "/console/handshake";
const TIMEOUT_MS = 10_000;

/** Creates a {@linkcode CheckHandshake}. */
export function createHandshakeCheck(
  { fetch = (input, init) => globalThis.fetch(input, init) }: HandshakeDeps = {},
): CheckHandshake {
  return async (token) => {
    const headers = new Headers();
    try {
      if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    } catch {
      const message = "The token has characters that no credential has";
      return { type: "refused", code: "bad_handshake", message };
    }
    try {
      // A browser sends the origin of a page with POST, as it does with a handshake.
      const response = await fetch(PATH, {
        method: "POST",
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return response.ok ? { type: "admitted" } : toVerdict(response.status, await response.text());
    } catch {
      return { type: "unreachable" };
    }
  };
}

function toVerdict(status: number, text: string): Verdict {
  const { code, message } = parseRefusal(text);
  if (code !== undefined) return { type: "refused", code, message };
  // What a proxy in front of the service has said.
  return status >= 500
    ? { type: "unreachable" }
    : { type: "refused", code: "not_found", message: `The answer was ${status}` };
}

function parseRefusal(
  text: string,
): { readonly code: HttpErrorCode | undefined; readonly message: string } {
  try {
    const { error: { code, message } } = JSON.parse(text);
    const known = Object.keys(HTTP_ERRORS).find((name) => name === code);
    return { code: known as HttpErrorCode | undefined, message: String(message) }; // one of its keys
  } catch {
    return { code: undefined, message: "" };
  }
}
