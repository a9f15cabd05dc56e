/**
 * An exchange that asks for nothing in particular.
 *
 * @module
 */
import { createExchange, type Exchange } from "../../src/connection/in_flight.ts";
import type { ProxyRequest } from "../../src/protocol/mod.ts";

/** A request with whatever a test does not care about. */
export const BLANK_REQUEST: ProxyRequest = {
  method: "GET",
  target: new URL("http://x/"),
  headers: [],
  body: null,
  redirect: "follow",
  stream: false,
  bodyFollows: false,
};

/** Creates the exchange 7 of the connection `c`, its first. */
export function createBlankExchange(request: Partial<ProxyRequest> = {}): Exchange {
  return createExchange(
    { id: 7, request: { ...BLANK_REQUEST, ...request }, upload: undefined },
    { connection: "c", sequence: 1, identity: undefined },
  );
}
