/**
 * Chooses the transport of each request.
 *
 * @module
 */
import type { Transport } from "./transport.ts";

/** The transports to choose from. */
export interface Transports {
  /** HTTP/1.1 over the service's own connections; `undefined` when every request is made with `fetch`. */
  readonly direct: Transport | undefined;
  /** The platform's `fetch`. */
  readonly viaFetch: Transport;
}

/** Returns a transport that makes requests directly, except those to a named upstream that asks for `fetch`. */
export function chooseTransport({ direct, viaFetch }: Transports): Transport {
  if (direct === undefined) return viaFetch;
  return (request, signal) =>
    request.route?.client !== "fetch" ? direct(request, signal) : viaFetch(request, signal);
}
