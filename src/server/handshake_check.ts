/**
 * Tells the console why a WebSocket handshake fails, which browsers do not tell a page.
 *
 * @module
 */
import type { Gate } from "./gate.ts";
import { isRefusal } from "./refusal.ts";
import type { Handler } from "./router.ts";

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

/**
 * Creates a handler that responds with the refusal that a handshake with the same `Origin` and `Authorization` would
 * get, or with 204. The handler opens no connection and keeps no place. Pages have to ask with POST: browsers send
 * no `Origin` with a GET request to the page's own server.
 */
export function createHandshakeCheck(gate: Gate): Handler {
  return async function check(request, info): Promise<Response> {
    const address = gate.addressOf(request, info);
    const decision = gate.findRefusal(request, false) ??
      await gate.admit(request.headers, address);
    if (isRefusal(decision)) return gate.refuse(decision, address, HEADERS);
    decision.lease[Symbol.dispose]();
    return new Response(null, { status: 204, headers: HEADERS });
  };
}
