/**
 * Which transport makes a request.
 *
 * @module
 */
import { asksForBrotli } from "./coding.ts";
import type { Transport } from "./transport.ts";

/** The transports that there are. */
export interface Transports {
  /** HTTP/1.1 over connections of the service's own; `undefined` when every request goes by `fetch`. */
  readonly direct: Transport | undefined;
  /** The platform's `fetch`. */
  readonly viaFetch: Transport;
}

/**
 * Returns a transport that makes each request by the one that suits it: `http:` directly, all else by `fetch`. Only
 * `fetch` decodes `br`, and only a client that asks for it gets it.
 */
export function chooseTransport({ direct, viaFetch }: Transports): Transport {
  if (direct === undefined) return viaFetch;
  return (request, signal) => {
    const isDirect = request.url.protocol === "http:" && !asksForBrotli(request.headers);
    return isDirect ? direct(request, signal) : viaFetch(request, signal);
  };
}
