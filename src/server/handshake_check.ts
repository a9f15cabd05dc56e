/**
 * Says whether a WebSocket from a page would be let in, and why not: the browser keeps that to itself.
 *
 * @module
 */
import type { OriginCheck } from "../auth/origin.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Admit } from "./admission.ts";
import { type Refusal, refuse } from "./responses.ts";
import type { Handler } from "./router.ts";

/** What a check works with: the same as the upgrade. */
export interface HandshakeCheckDeps {
  readonly isOriginAllowed: OriginCheck;
  /** Gives the address of the client behind a socket, which may be a proxy's. */
  readonly clientAddress: (headers: Headers, socketAddress: string) => string;
  readonly admit: Admit;
  readonly isDraining: () => boolean;
  /** Whether the service holds as many connections as it can. */
  readonly isFull: () => boolean;
  readonly telemetry: Telemetry;
}

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

/**
 * Creates a handler that answers as `/ws` would a handshake with the same `Origin` and `Authorization`: 204, or the
 * refusal. It opens nothing and takes no place. A browser sends the origin of a page with POST only.
 */
export function createHandshakeCheck(
  { isOriginAllowed, clientAddress, admit, isDraining, isFull, telemetry }: HandshakeCheckDeps,
): Handler {
  function findRefusal(request: Request): Refusal | undefined {
    if (!isOriginAllowed(request)) {
      return {
        code: "origin_not_allowed",
        message:
          "Pages of this origin may not connect; the operator can list it in ALLOWED_ORIGINS",
      };
    }
    if (isDraining()) {
      return { code: "draining", message: "The service is going away; try another" };
    }
    return isFull()
      ? { code: "too_many_connections", message: "The service is full; try again later" }
      : undefined;
  }

  return async function check(request, { remoteAddr }): Promise<Response> {
    const { headers } = request;
    const address = "hostname" in remoteAddr ? remoteAddr.hostname : remoteAddr.transport;
    const client = clientAddress(headers, address);
    const refusal = findRefusal(request) ?? await admit(headers, client);
    if (!("code" in refusal)) {
      refusal.lease[Symbol.dispose]();
      return new Response(null, { status: 204, headers: HEADERS });
    }
    const { code, message, headers: more } = refusal;
    const response = refuse(code, message, { ...HEADERS, ...more });
    telemetry.emit({ type: "refused", client, status: response.status, code, reason: message });
    return response;
  };
}
